"""Brazilian Portuguese as tables: how short forms, units, money and signs are said. Data only."""

from __future__ import annotations

from typing import Final, NamedTuple

DIGITS: Final = ("zero", "um", "dois", "três", "quatro", "cinco", "meia", "sete", "oito", "nove")
LETTERS: Final = {
    "a": "á", "b": "bê", "c": "cê", "d": "dê", "e": "é", "f": "éfe", "g": "gê", "h": "agá", "i": "i", "j": "jota",
    "k": "cá", "l": "éle", "m": "ême", "n": "ene", "o": "ó", "p": "pê", "q": "quê", "r": "érre", "s": "ésse", "t": "tê",
    "u": "u", "v": "vê", "w": "dábliu", "x": "xis", "y": "ípsilon", "z": "zê",
}  # fmt: skip
MONTHS: Final = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho",
    "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
)  # fmt: skip

TITLES: Final = {
    "sr.": "senhor", "sra.": "senhora", "srta.": "senhorita", "srs.": "senhores", "sras.": "senhoras",
    "dr.": "doutor", "dra.": "doutora", "drs.": "doutores", "prof.": "professor", "profa.": "professora",
    "profª": "professora", "profª.": "professora", "prof.ª": "professora", "drª": "doutora", "drª.": "doutora",
    "dr.ª": "doutora", "srª": "senhora", "srª.": "senhora", "sr.ª": "senhora", "s/n": "sem número",
    "s/nº": "sem número", "eng.": "engenheiro", "sto.": "santo", "sta.": "santa", "sr": "senhor", "sra": "senhora",
    "dr": "doutor", "dra": "doutora", "av.": "avenida", "pça.": "praça", "rod.": "rodovia", "apto.": "apartamento",
    "apto": "apartamento", "apt.": "apartamento", "jd.": "jardim", "bl.": "bloco", "tel.": "telefone",
    "nº": "número", "n°": "número", "n.º": "número", "nºs": "números", "nro.": "número",
    "p. ex.": "por exemplo", "p.ex.": "por exemplo", "ex.:": "exemplo:", "ex:": "exemplo:", "i.e.": "isto é",
    "e.g.": "por exemplo", "obs.:": "observação:", "obs:": "observação:", "obs.": "observação",
    "pág.": "página", "págs.": "páginas", "qtd.": "quantidade", "aprox.": "aproximadamente", "máx.": "máximo",
    "mín.": "mínimo", "ltda.": "limitada", "cia.": "companhia", "dept.": "departamento", "depto.": "departamento",
    "vs.": "versus", "a/c": "aos cuidados de", "p/": "para", "c/": "com", "s/": "sem", "e/ou": "e ou",
    "comp.": "comprimido",
    "d.c.": "depois de Cristo", "a.c.": "antes de Cristo",
}  # fmt: skip

SPELLINGS: Final = {
    "s.a.": "ésse á", "s.a": "ésse á", "s/a": "ésse á", "e.u.a.": "Estados Unidos", "c#": "cê charp",
    "f#": "éfe charp", "c++": "cê mais mais",
}  # fmt: skip

# these are words or names of their own, and short forms only before a number
BEFORE_NUMBER: Final = {
    "art.": "artigo", "cap.": "capítulo", "vol.": "volume", "ap.": "apartamento", "pag.": "página",
    "p.": "página", "n.": "número", "n.os": "números",
    "km": "quilômetro", "fig.": "figura", "ref.": "referência", "cel.": "celular", "núm.": "número", "min.": "mínimo",
    "ed.": "edição", "km.": "quilômetro", "q.": "quadra", "lt.": "lote",
}  # fmt: skip

CHAT: Final = {
    "vc": "você", "vcs": "vocês", "ce": "cê", "tb": "também", "tbm": "também", "tmb": "também", "pq": "porque",
    "oq": "o que", "blz": "beleza", "obg": "obrigado", "obgd": "obrigado", "obgda": "obrigada",
    "msg": "mensagem", "msgs": "mensagens", "hj": "hoje", "cmg": "comigo", "ctg": "contigo", "td": "tudo",
    "tds": "todos", "tdo": "tudo", "mto": "muito", "mta": "muita", "mtos": "muitos", "mtas": "muitas", "mt": "muito",
    "qdo": "quando", "qnd": "quando", "qto": "quanto", "qts": "quantos", "qq": "qualquer", "qlqr": "qualquer",
    "ngm": "ninguém", "vdd": "verdade", "fds": "fim de semana", "pf": "por favor", "pfv": "por favor",
    "pfvr": "por favor", "sdds": "saudades", "bjs": "beijos", "bj": "beijo", "bjo": "beijo", "bjos": "beijos",
    "abs": "abraços", "abç": "abraço", "abçs": "abraços", "nd": "nada", "dps": "depois",
    "agr": "agora", "aki": "aqui", "eh": "é", "neh": "né", "naum": "não", "tmj": "tamo junto", "flw": "falou",
    "ñ": "não", "vlw": "valeu", "sqn": "só que não", "kd": "cadê", "cd": "cadê", "dnd": "de nada", "tlgd": "tá ligado",
    "mds": "meu Deus", "gnt": "gente", "nss": "nossa", "add": "adicionar", "bom d+": "bom demais",
    "d+": "demais", "hrs": "horas", "etc": "etcétera", "wpp": "WhatsApp",
    "eua": "Estados Unidos",
}  # fmt: skip

# "c vc", "p mim": a letter alone is a preposition before a person
BEFORE_PERSON: Final = {"c": "com", "p": "para"}
PERSONS: Final = (
    "vc", "vcs", "você", "vocês", "ele", "ela", "eles", "elas", "mim", "a gente", "todos", "todo mundo", "tds", "ngm",
    "quem", "meu", "minha", "seu", "sua", "nós",
)  # fmt: skip
SAINTS: Final = (
    "Paulo", "Pedro", "João", "José", "Luís", "Luiz", "Francisco", "Bernardo", "Caetano", "Carlos", "Gonçalo", "Miguel",
    "Sebastião", "Vicente", "Bento", "Jorge", "Lourenço", "Mateus", "Marcos", "Roque", "Tomé",
)  # fmt: skip

SMALL_LETTERS: Final = {"q": "que", "n": "não"}

# said letter by letter, though their vowels tempt a voice to read them as a word; consonants alone are spelled anyway
SPELLED: Final = ("IA", "API", "IPTU", "IPVA", "URL", "UTI", "ABNT", "IOF", "ISS", "INSS", "UF", "AI", "UX", "UI")

WEEKDAYS: Final = {
    "seg": "segunda", "ter": "terça", "qua": "quarta", "qui": "quinta", "sex": "sexta", "sáb": "sábado",
    "sab": "sábado", "dom": "domingo",
}  # fmt: skip


# keyboards write "2° andar" for "2º andar"
COUNTED_BY_DEGREE: Final = (
    "andar", "lugar", "dia", "ano", "turno", "semestre", "bimestre", "trimestre", "período", "piso", "tempo",
    "colocado",
    "passo", "distrito", "batalhão", "ofício", "capítulo", "mês", "filho",
)  # fmt: skip


class Unit(NamedTuple):
    """How one and several of a unit are called, and whether they are feminine."""

    one: str
    many: str
    feminine: bool = False


UNITS: Final = {
    "km/h": Unit("quilômetro por hora", "quilômetros por hora"), "m/s": Unit("metro por segundo", "metros por segundo"),
    "km²": Unit("quilômetro quadrado", "quilômetros quadrados"), "m²": Unit("metro quadrado", "metros quadrados"),
    "m2": Unit("metro quadrado", "metros quadrados"), "cm²": Unit("centímetro quadrado", "centímetros quadrados"),
    "m³": Unit("metro cúbico", "metros cúbicos"), "m3": Unit("metro cúbico", "metros cúbicos"),
    "km": Unit("quilômetro", "quilômetros"), "kms": Unit("quilômetro", "quilômetros"),
    "m": Unit("metro", "metros"), "mt": Unit("metro", "metros"), "mts": Unit("metro", "metros"),
    "cm": Unit("centímetro", "centímetros"), "mm": Unit("milímetro", "milímetros"),
    "kg": Unit("quilo", "quilos"), "kgs": Unit("quilo", "quilos"), "g": Unit("grama", "gramas"),
    "gr": Unit("grama", "gramas"), "mg": Unit("miligrama", "miligramas"), "mcg": Unit("micrograma", "microgramas"),
    "t": Unit("tonelada", "toneladas", feminine=True), "ha": Unit("hectare", "hectares"),
    "l": Unit("litro", "litros"), "ml": Unit("mililitro", "mililitros"), "lt": Unit("litro", "litros"),
    "gb": Unit("gigabyte", "gigabytes"), "mb": Unit("megabyte", "megabytes"), "kb": Unit("quilobyte", "quilobytes"),
    "tb": Unit("terabyte", "terabytes"), "mbps": Unit("megabit por segundo", "megabits por segundo"),
    "gbps": Unit("gigabit por segundo", "gigabits por segundo"),
    "min": Unit("minuto", "minutos"), "mins": Unit("minuto", "minutos"), "minutos": Unit("minuto", "minutos"),
    "s": Unit("segundo", "segundos"), "seg": Unit("segundo", "segundos"), "ms": Unit("milissegundo", "milissegundos"),
    "w": Unit("watt", "watts"), "kw": Unit("quilowatt", "quilowatts"),
    "kwh": Unit("quilowatt-hora", "quilowatts-hora"), "v": Unit("volt", "volts"),
    "mah": Unit("miliampere-hora", "miliamperes-hora"),
    "hz": Unit("hertz", "hertz"), "ghz": Unit("giga-hertz", "giga-hertz"), "mhz": Unit("mega-hertz", "mega-hertz"),
    "kcal": Unit("quilocaloria", "quilocalorias", feminine=True), "cal": Unit("caloria", "calorias", feminine=True),
    "pol": Unit("polegada", "polegadas", feminine=True),
    "°c": Unit("grau Celsius", "graus Celsius"), "ºc": Unit("grau Celsius", "graus Celsius"),
    "°f": Unit("grau Fahrenheit", "graus Fahrenheit"), "ºf": Unit("grau Fahrenheit", "graus Fahrenheit"),
    "%": Unit("por cento", "por cento"), "‰": Unit("por mil", "por mil"),
    "°": Unit("grau", "graus"),
}  # fmt: skip

# these are units only beside a stroke: "mmol/L", "W/m²"
UNITS_OF_COMPOUNDS: Final = {
    "dl": Unit("decilitro", "decilitros"), "µg": Unit("micrograma", "microgramas"),
    "μg": Unit("micrograma", "microgramas"), "mol": Unit("mol", "mols"), "mmol": Unit("milimol", "milimols"),
    "meq": Unit("miliequivalente", "miliequivalentes"),
    "ui": Unit("unidade internacional", "unidades internacionais", feminine=True),
    "s²": Unit("segundo ao quadrado", "segundos ao quadrado"),
    "cm³": Unit("centímetro cúbico", "centímetros cúbicos"), "h": Unit("hora", "horas", feminine=True),
    "kj": Unit("quilojoule", "quilojoules"), "j": Unit("joule", "joules"), "n": Unit("newton", "newtons"),
    "kgf": Unit("quilograma-força", "quilogramas-força"),
    "mmhg": Unit("milímetro de mercúrio", "milímetros de mercúrio"),
}  # fmt: skip


FULL_MARKS: Final = frozenset({5, 10, 20, 50, 100})
PARTS: Final = {2: "meio", 3: "terço", 4: "quarto", 5: "quinto", 6: "sexto", 8: "oitavo", 10: "décimo"}


class Currency(NamedTuple):
    """A currency's unit and hundredth, one and many."""

    one: str
    many: str
    cent: str = "centavo"
    cents: str = "centavos"
    feminine: bool = False


_REAL, _DOLLAR = Currency("real", "reais"), Currency("dólar", "dólares")
_EURO, _POUND = (
    Currency("euro", "euros", "cêntimo", "cêntimos"),
    Currency("libra", "libras", "pêni", "pence", feminine=True),
)
CURRENCIES: Final = {
    "r$": _REAL, "brl": _REAL, "us$": _DOLLAR, "u$": _DOLLAR, "usd": _DOLLAR, "$": _DOLLAR, "€": _EURO, "eur": _EURO,
    "₹": Currency("rupia", "rupias", "paisa", "paisas", feminine=True),
    "£": _POUND, "gbp": _POUND, "¥": Currency("iene", "ienes"),
}  # fmt: skip

PER: Final = {
    "mês": "mês", "mes": "mês", "dia": "dia", "ano": "ano", "h": "hora", "hora": "hora", "semana": "semana",
    "noite": "noite", "pessoa": "pessoa", "kg": "quilo", "m²": "metro quadrado", "un": "unidade", "unidade": "unidade",
    "min": "minuto", "minuto": "minuto", "km": "quilômetro", "l": "litro", "litro": "litro", "diária": "diária",
    "aula": "aula", "sessão": "sessão", "cada": "cada", "100g": "cem gramas",
}  # fmt: skip

SYMBOLS: Final = {
    "&": "e", "@": "arroba", "%": "por cento", "+": "mais", "=": "igual a", "°": "graus", "§": "parágrafo",
    "≈": "cerca de", "≤": "menor ou igual a", "≥": "maior ou igual a", "≠": "diferente de", "±": "mais ou menos",
    "×": "vezes", "÷": "dividido por", "€": "euros", "£": "libras", "$": "dólares", "µ": "micro", "π": "pi",
    "√": "raiz de", "∞": "infinito", "Ω": "ohms", "#": "número", "©": "", "®": "", "™": "",
}  # fmt: skip
