"""How shops call the columns of their order tables, in English, German and French."""

from __future__ import annotations

import unicodedata

from features.tables.declared.customers import COUNTRY
from features.tables.declared.products import BRAND, PRODUCT_CATEGORY, TITLE
from features.tables.declared.transactions import (
    AMOUNT,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, RECORDED_AT

_SPELLED = {
    CUSTOMER_ID: """
        customerid customerno customernumber customernr custid custno customer
        customercode customerkey userid user usernumber clientid client clientno
        memberid buyerid buyer shopperid accountid householdid householdkey visitorid
        customeremail email kundennummer kundennr kundenid kundeid kunde kdnr idclient
        numeroclient numclient noclient nclient codeclient idacheteur
    """,
    ORDER_ID: """
        orderid orderno ordernumber ordernr order ordercode ordername invoiceno
        invoiceid invoicenumber invoice transactionid transactionno transactionnumber
        basketid basket cartid receiptid receiptno receiptnumber receipt ticketid
        ticketno purchaseid salesorder bestellnummer bestellnr bestellung bestellid
        auftragsnummer auftragsnr auftrag rechnungsnummer rechnungsnr belegnummer
        belegnr bonnummer numerocommande numcommande nocommande ncommande idcommande
        commande numerofacture nofacture nfacture facture ticket
    """,
    PRODUCT_ID: """
        productid productno productnumber productcode productkey prodid stockcode sku
        skuid skucode itemid itemno itemnumber itemcode itemsku lineitemsku article
        articleid articleno articlenumber variantid asin ean ean13 upc gtin isbn barcode
        partnumber stockitem product item artikelnummer artikelnr artikelid artikel
        produktnummer produktnr produktid produkt warennummer reference ref
        referenceproduit codeproduit idproduit numeroproduit produit codearticle
        idarticle referencearticle
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
    """,
    QUANTITY: """
        quantity quantityordered orderquantity qty qtyordered units unitssold
        unitsordered amountofitems numberofitems numitems itemcount itemquantity
        lineitemquantity itemqty pieces pcs count menge anzahl stueck stuck stueckzahl
        stuckzahl bestellmenge quantite qte nombre nbarticles
    """,
    UNIT_PRICE: """
        unitprice priceperunit priceeach itemprice lineitemprice productprice price
        unitcost sellingprice saleprice salesprice retailprice unitpricegbp unitpriceeur
        unitpriceusd einzelpreis stueckpreis stuckpreis verkaufspreis preis prixunitaire
        prixunite prixdevente prix
    """,
    AMOUNT: """
        amount lineamount linetotal totalprice totalamount total linevalue salesvalue
        salesamount sales revenue itemtotal subtotal spend value netamount grossamount
        gesamtpreis gesamtbetrag zeilensumme betrag summe umsatz wert montant
        montantligne montanttotal prixtotal totalligne
    """,
    TITLE: """
        title producttitle productname itemname itemtitle articlename description
        productdescription itemdescription lineitemname name bezeichnung
        artikelbezeichnung produktbezeichnung artikelname produktname beschreibung titel
        designation libelle nomproduit nomduproduit nomarticle titre
    """,
    COUNTRY: """
        country countrycode customercountry shippingcountry shipcountry billingcountry
        countryname land lieferland rechnungsland kundenland pays payslivraison
        paysclient
    """,
    PRODUCT_CATEGORY: """
        productcategory category categoryname itemcategory department productgroup
        productsubclass kategorie produktkategorie warengruppe categorie
        categorieproduit rayon
    """,
    BRAND: """
        brand brandname vendor manufacturer marke hersteller marque fabricant
    """,
    RECORDED_AT: """
        recordedat recordedon loadedat insertedat syncedat erfasstam enregistrele
    """,
}
SPELLINGS: dict[str, tuple[str, ...]] = {
    column: tuple(words.split()) for column, words in _SPELLED.items()
}
"""Spellings by warehouse column, the more telling first, as `bare` writes them."""


def bare(name: str) -> str:
    """A column's name in lower case without accents, spaces and punctuation."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in decomposed if character.isalnum())


def named(columns: list[str], spellings: tuple[str, ...]) -> str | None:
    """The column whose name is the most telling of `spellings`, or None."""
    by_bare_name = {bare(column): column for column in reversed(columns)}
    return next(
        (by_bare_name[spelling] for spelling in spellings if spelling in by_bare_name), None
    )
