"""How shops call the columns of their order tables, in English, German, French, Spanish and
Polish.
"""

from __future__ import annotations

import re
import unicodedata

from features.tables.declared.customers import COUNTRY
from features.tables.declared.products import (
    AVAILABILITY,
    BRAND,
    LINK,
    PICTURE,
    PRICE,
    PRODUCT_CATEGORY,
    STOCK,
    TITLE,
)
from features.tables.declared.transactions import (
    AMOUNT,
    CANCELLED_AT,
    CURRENCY,
    CUSTOMER_EMAIL,
    DISCOUNT,
    DISCOUNT_PERCENT,
    EVENT,
    LIST_AMOUNT,
    ORDER_DISCOUNT,
    ORDER_ID,
    ORDER_REFUND,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    REFUNDED_AMOUNT,
    REFUNDED_QUANTITY,
    STATUS,
    TEST,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, RECORDED_AT

_SPELLED = {
    CUSTOMER_ID: """
        customeruniqueid customerid customerno customernumber customernr custid custno customer
        customercode customerkey userid user usernumber clientid client clientno
        memberid buyerid buyer shopperid accountid householdid householdkey visitorid
        customeremail email kundennummer kundennr kundenid kundeid kunde kdnr idclient
        numeroclient numclient noclient nclient codeclient idacheteur
        buyerusername buyername loginkupujacego idcliente codigocliente cliente nrklienta
        idklienta klient kupujacy customeridentifier payerid accountname account
    """,
    ORDER_ID: """
        orderid orderno ordernumber ordernr order ordercode ordername invoiceno
        invoiceid invoicenumber invoice transactionid transactionno transactionnumber
        basketid basket cartid receiptid receiptno receiptnumber receipt ticketid
        ticketno purchaseid salesorder bestellnummer bestellnr bestellung bestellid
        auftragsnummer auftragsnr auftrag rechnungsnummer rechnungsnr belegnummer
        belegnr bonnummer numerocommande numcommande nocommande ncommande idcommande
        commande numerofacture nofacture nfacture facture ticket
        amazonorderid idpedido numeropedido numerodepedido pedido nrzamowienia
        numerzamowienia idzamowienia zamowienie orderreference orderref salesrecordnumber
        paymentid id name
    """,
    PRODUCT_ID: """
        productid productno productnumber productcode productkey prodid stockcode sku
        skuid skucode itemid itemno itemnumber itemcode itemsku lineitemsku article
        articleid articleno articlenumber variantid asin ean ean13 upc gtin isbn barcode
        partnumber stockitem product item artikelnummer artikelnr artikelid artikel
        produktnummer produktnr produktid produkt warennummer reference ref
        referenceproduit codeproduit idproduit numeroproduit produit codearticle
        idarticle referencearticle
        listingid internalreference lineitemsku codigoproducto idproducto referencia
        codigo producto idproduktu kodproduktu numerproduktu symbol numeroarticle
        customlabel itemtitle productname lineitemname itemname
    """,
    ORDERED_AT: """
        orderedat orderdate orderdatetime ordertime ordertimestamp
        orderpurchasetimestamp orderplacedat invoicedate purchasedate purchasedat
        purchasetime transactiondate transactiondatetime transactiontimestamp
        transactiondt transactiontime saledate salesdate datesold dateordered createdat
        createdon datecreated date datetime timestamp dateadded eventtime day time
        bestelldatum bestellzeit auftragsdatum rechnungsdatum kaufdatum belegdatum
        verkaufsdatum datum zeitpunkt datecommande datedecommande datefacture dateachat
        datevente horodatage
        fechapedido fecha fechadecompra datazamowienia datazakupu data paidat
        completeddate purchasedon transactiondateutc createddate createddateutc saledate
    """,
    QUANTITY: """
        quantity quantityordered orderquantity qty qtyordered units unitssold
        unitsordered amountofitems numberofitems numitems itemcount itemquantity
        lineitemquantity itemqty pieces pcs count menge anzahl stueck stuck stueckzahl
        stuckzahl bestellmenge quantite qte nombre nbarticles
        cantidad unidades ilosc liczbasztuk sztuk quantitypurchased
    """,
    UNIT_PRICE: """
        unitprice priceperunit priceeach itemprice lineitemprice productprice price
        unitcost sellingprice saleprice salesprice retailprice unitpricegbp unitpriceeur
        unitpriceusd einzelpreis stueckpreis stuckpreis verkaufspreis preis prixunitaire
        prixunite prixdevente prix
        rate itemcost cost preciounitario precio cenajednostkowa cena cenazasztuke
        soldfor pricepaid
    """,
    AMOUNT: """
        amount lineamount linetotal totalprice totalamount total linevalue salesvalue
        salesamount sales revenue itemtotal subtotal spend value netamount grossamount
        gesamtpreis gesamtbetrag zeilensumme betrag summe umsatz wert montant
        montantligne montanttotal prixtotal totalligne
        itemtotal linesubtotal importe totallinea wartosc kwota suma netsales grosssales
        linenettotal
    """,
    TITLE: """
        title producttitle productname itemname itemtitle articlename description
        productdescription itemdescription lineitemname name bezeichnung
        artikelbezeichnung produktbezeichnung artikelname produktname beschreibung titel
        designation libelle nomproduit nomduproduit nomarticle titre
        nombreproducto nombre titulo descripcion nazwaproduktu nazwa tytul productvariant
    """,
    COUNTRY: """
        country countrycode customercountry shippingcountry shipcountry billingcountry
        countryname land lieferland rechnungsland kundenland pays payslivraison
        paysclient
        paisenvio pais paisdeenvio kraj krajdostawy shipcountrycode shippingcountrycode
        countryshipping countrybilling
    """,
    PRODUCT_CATEGORY: """
        productcategory category categoryname itemcategory department productgroup
        productsubclass kategorie produktkategorie warengruppe categorie
        categorieproduit rayon
    """,
    BRAND: """
        brand brandname vendor manufacturer marke hersteller marque fabricant
    """,
    CUSTOMER_EMAIL: """
        customeremail email emailaddress mail billingemail emailbilling buyeremail clientemail
        useremail contactemail emailadresse kundenemail emailkunde adressemail
        adresseemail correo correoelectronico adreselektroniczny adresemail adresemailkupujacego
    """,
    STATUS: """
        orderstatus status financialstatus paymentstatus orderstate state saleststatus
        transactionstatus bestellstatus auftragsstatus statut etat etatcommande estado
        estadopedido statuszamowienia
    """,
    CANCELLED_AT: """
        cancelledat canceledat datecancelled datecanceled cancelledon cancelleddate
        stornodatum dateannulation
    """,
    TEST: "test istest testorder isatest",
    EVENT: "eventtype eventname event action activity interactiontype kind type",
    CURRENCY: """
        currency currencycode ordercurrency wahrung waehrung devise moneda waluta
        transactioncurrency
    """,
    LIST_AMOUNT: "listamount grosssales itemsubtotal grossamountbeforediscounts",
    DISCOUNT_PERCENT: """
        discount discountpercent discountpercentage discountrate rabattprozent rabatt remise
        descuento rabat
    """,
    DISCOUNT: """
        lineitemdiscount itemdiscount linediscount productdiscount discountperline
        positionsrabatt zeilenrabatt remiseligne
    """,
    ORDER_DISCOUNT: """
        orderdiscount discountamount cartdiscount cartdiscountamount totaldiscount
        discounttotal couponamount discount gesamtrabatt rabattbetrag remise descuento rabat
        rabatt
    """,
    REFUNDED_QUANTITY: """
        refundedquantity quantityrefunded refundedqty qtyrefunded returnedquantity
        quantityreturned qtyreturned erstattetemenge retournierteemenge
    """,
    REFUNDED_AMOUNT: """
        itemrefundedamount linerefundedamount itemrefund linerefund refundedlineamount
        itemrefunded
    """,
    ORDER_REFUND: """
        refundedamount amountrefunded refundamount orderrefund orderrefundamount refundtotal
        totalrefunded refund erstattungsbetrag montantrembourse
    """,
    STOCK: """
        stock stockquantity inventoryquantity variantinventoryqty inventory quantityavailable
        availablequantity stockonhand bestand lagerbestand stan stanmagazynowy existencias
    """,
    AVAILABILITY: """
        availability instock status stockstatus productstatus available published active
        verfugbarkeit disponibilite disponibilidad dostepnosc
    """,
    PRICE: """
        price productprice regularprice variantprice sellingprice saleprice retailprice listprice
        unitprice preis verkaufspreis prix prixdevente precio cena
    """,
    PICTURE: """
        picture image imageurl imagelink imagesrc images imageurls photo photourl pictureurl
        mainimage thumbnail thumbnailurl bild bildurl bildlink imagen zdjecie
    """,
    LINK: """
        link url producturl productlink permalink href page pageurl productpage externalurl lien
        enlace adres
    """,
    RECORDED_AT: """
        recordedat recordedon loadedat insertedat syncedat erfasstam enregistrele
    """,
}
SPELLINGS: dict[str, tuple[str, ...]] = {
    column: tuple(words.split()) for column, words in _SPELLED.items()
}
"""Spellings by warehouse column, the more telling first, as `bare` writes them."""


AFFIXES = (
    "lineitems",
    "lineitem",
    "orderlines",
    "orderline",
    "orderitems",
    "orderitem",
    "lines",
    "line",
    "items",
    "item",
    "order",
    "products",
    "product",
    "customer",
    "billing",
)
"""What exports put before the names of columns."""


def bare(name: str) -> str:
    """A column's name in lower case without accents, spaces and punctuation."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in decomposed if character.isalnum())


def variants(name: str) -> tuple[str, ...]:
    """What a column may be called when all that exports add to its name is taken off: the whole
    name first, then without what stands in brackets, the last part of a path, and without words
    such as `lineitem`.
    """
    without = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", name)
    last = re.split(r"[/.:>]", without.rstrip("/.:> "))[-1]
    found = [bare(name), bare(without), bare(last)]
    found += [
        each.removeprefix(affix)
        for each in tuple(found)
        for affix in AFFIXES
        if each.startswith(affix) and each != affix
    ]
    return tuple(dict.fromkeys(each for each in found if each))


def rank(name: str, spellings: tuple[str, ...]) -> int | None:
    """How telling a column's name is among `spellings`, 0 for the most telling; None where it is
    none of them.

    A whole name comes before a name of which something had to be taken off.
    """
    ranks = [
        spellings.index(variant) + (0 if position == 0 else len(spellings))
        for position, variant in enumerate(variants(name))
        if variant in spellings
    ]
    return min(ranks, default=None)
