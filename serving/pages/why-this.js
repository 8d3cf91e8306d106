const here = new URL(document.currentScript.src);
const LABELS = { en: "Why this?", de: "Warum das?", fr: "Pourquoi ceci ?", es: "¿Por qué esto?", pl: "Dlaczego to widzę?" };
const FAILED = { en: "Not available right now.", de: "Gerade nicht verfügbar.", fr: "Indisponible pour l’instant.", es: "No disponible ahora.", pl: "Chwilowo niedostępne." };
const STYLE = `
:host { display: inline-block; font: inherit; }
button { font: inherit; min-height: 24px; min-width: 24px; padding: .2em .6em; border: 1px solid currentColor; border-radius: .4em; background: none; color: inherit; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 3px solid; outline-offset: 2px; }
section { margin-block: .5em; padding: 1em; max-width: 28em; border: 1px solid; border-radius: .6em; background: Canvas; color: CanvasText; overflow-wrap: anywhere; text-align: start; }
h2 { font-size: 1.1em; margin: 0 0 .5em; }
h3 { font-size: 1em; margin: .8em 0 .2em; }
p, ul { margin: 0 0 .5em; padding: 0; }
li { margin-inline-start: 1.2em; }
a { color: LinkText; display: inline-block; min-height: 24px; }
`;

function made(name, text, parent) {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

class WhyThis extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.language = (this.closest("[lang]")?.lang || navigator.language).toLowerCase();
    this.button = made("button", this.getAttribute("label") || this.own(LABELS), root);
    this.button.type = "button";
    this.button.setAttribute("aria-expanded", "false");
    this.button.setAttribute("aria-controls", "panel");
    this.panel = made("section", "", root);
    this.panel.id = "panel";
    this.panel.hidden = true;
    this.button.addEventListener("click", () => this.toggle(this.panel.hidden));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.panel.hidden) this.toggle(false);
    });
  }

  own(texts) {
    return texts[this.language.split("-")[0]] || texts.en;
  }

  async toggle(open) {
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) return this.button.focus();
    this.panel.setAttribute("aria-busy", "true");
    try {
      const address = new URL(`/why/${encodeURIComponent(this.getAttribute("decision"))}/panel`, here);
      address.searchParams.set("language", this.language);
      const answer = await fetch(address, { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      this.fill(await answer.json());
    } catch {
      this.panel.replaceChildren();
      made("p", this.own(FAILED), this.panel).setAttribute("role", "status");
    }
    this.panel.removeAttribute("aria-busy");
  }

  fill(data) {
    const panel = this.panel;
    panel.replaceChildren();
    panel.lang = data.language;
    panel.dir = data.direction;
    panel.setAttribute("aria-label", data.title);
    made("h2", data.title, panel);
    made("p", data.lead, panel);
    if (data.why_not) made("p", data.why_not, panel);
    for (const item of data.items) this.list(item.title, item.reasons);
    for (const part of data.items.length ? [] : data.used) this.list(part.label, part.said);
    if (data.items.length && data.used.length) this.list(data.used_title, data.used.map((part) => part.label));
    if (data.withheld.length) this.list(data.withheld_title, data.withheld);
    const more = made("a", data.more, panel);
    more.href = data.url;
    more.rel = "noreferrer";
    const close = made("p", "", panel);
    made("button", data.close, close).addEventListener("click", () => this.toggle(false));
  }

  list(title, texts) {
    made("h3", title, this.panel);
    const list = made("ul", "", this.panel);
    for (const text of texts) made("li", text, list);
  }
}

customElements.define("why-this", WhyThis);
