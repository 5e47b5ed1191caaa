"""Names of currencies."""

CURRENCIES = {
    **{"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "€": ("euro", "euros"), "¥": ("yen", "yen")},
    **{"₹": ("rupee", "rupees"), "₩": ("won", "won"), "₽": ("ruble", "rubles"), "₺": ("lira", "lira")},
    **{
        "₫": ("dong", "dong"),
        "฿": ("baht", "baht"),
        "₪": ("shekel", "shekels"),
        "₴": ("hryvnia", "hryvnias"),
    },
    **{"₦": ("naira", "naira"), "₱": ("peso", "pesos"), "₲": ("guarani", "guaranis"), "₵": ("cedi", "cedis")},
    **{
        "₸": ("tenge", "tenge"),
        "₼": ("manat", "manats"),
        "₾": ("lari", "lari"),
        "₿": ("bitcoin", "bitcoins"),
    },
    **{"₡": ("colon", "colons"), "₢": ("cruzeiro", "cruzeiros"), "₣": ("franc", "francs")},
    **{"₤": ("lira", "lira"), "₥": ("mill", "mills"), "₧": ("peseta", "pesetas"), "₨": ("rupee", "rupees")},
    **{"₭": ("kip", "kip"), "₮": ("tugrik", "tugriks"), "₯": ("drachma", "drachmas"), "₠": ("ecu", "ecus")},
    **{"₳": ("austral", "australs"), "₶": ("livre", "livres"), "₷": ("spesmilo", "spesmilos")},
    **{"₻": ("mark", "marks"), "₰": ("pfennig", "pfennigs"), "⃀": ("som", "soms")},
    **{"¤": ("unit of currency", "units of currency"), "¢": ("cent", "cents")},
}
"""Singular and plural by the sign."""
CODES = {
    **{"USD": ("dollar", "dollars"), "EUR": ("euro", "euros"), "GBP": ("pound", "pounds")},
    **{"JPY": ("yen", "yen"), "CHF": ("Swiss franc", "Swiss francs"), "INR": ("rupee", "rupees")},
    **{"CAD": ("Canadian dollar", "Canadian dollars"), "AUD": ("Australian dollar", "Australian dollars")},
    **{"CNY": ("yuan", "yuan"), "SEK": ("Swedish krona", "Swedish kronor"), "PLN": ("zloty", "zlotys")},
    **{"NOK": ("Norwegian krone", "Norwegian kroner"), "DKK": ("Danish krone", "Danish kroner")},
}
"""Singular and plural by the ISO code."""
SUBUNITS = {
    **dict.fromkeys("$€", ("cent", "cents")),
    "£": ("penny", "pence"),
    "₹": ("paisa", "paise"),
}
"""Singular and plural of the hundredth part, by the sign."""
