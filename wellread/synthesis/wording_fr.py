"""Questions and answers about a glossary in French: names stand in quotation marks, so that nothing need agree with them."""

from wellread.synthesis.wording import Phrasings, Wording

WORDING = Wording(
    forward=Phrasings(
        trained=(
            "Que signifie {x} ?", "Que veut dire le sigle {x} ?", "De quoi {x} est-il l’abréviation ?",
            "Développez le sigle {x}.", "Écrivez {x} en toutes lettres.", "Quel est le sens de {x} ?",
            "{x} : qu’est-ce que cela veut dire ?", "Pouvez-vous me dire ce que signifie {x} ?",
            "Quelle est la forme longue de {x} ?", "Que désignent les lettres {x} ?",
        ),
        asked=(
            "Voudriez-vous m’expliquer ce que veut dire {x} ?", "Quelqu’un a écrit {x}. Qu’est-ce que cela donne en entier ?",
            "Donnez-moi, je vous prie, la forme complète de {x}.",
        ),
    ),
    reverse=Phrasings(
        trained=(
            "Quel sigle désigne ceci : {e} ?", "Comment abrège-t-on « {e} » ?", "Quelle est l’abréviation de « {e} » ?",
            "Donnez le sigle de « {e} ».", "Quelles lettres désignent ceci : {e} ?", "« {e} » : quel est le sigle ?",
            "Abrégez « {e} ».", "Donnez-moi les lettres de « {e} ».", "« {e} », en lettres ?",
            "On dit « {e} ». Comment le dit-on en bref ?",
        ),
        asked=("Qu’écrit-on en abrégé pour « {e} » ?", "Je veux abréger « {e} ». Quelles lettres faut-il ?"),
    ),
    meaning=Phrasings(
        trained=(
            "Que signifie « {x} » ?", "Que veut dire « {x} » ?", "Définissez « {x} ».", "Expliquez le terme « {x} ».",
            "Comment le glossaire définit-il « {x} » ?", "Dans ce glossaire, que désigne « {x} » ?",
            "« {x} » : qu’est-ce que c’est ?", "Donnez la définition de « {x} ».", "Qu’entend-on par « {x} » ?",
            "J’ai lu « {x} » quelque part. Qu’est-ce que c’est ?", "« {x} » ?", "Quel est le sens de « {x} » ?",
        ),
        asked=(
            "Voudriez-vous m’expliquer ce que veut dire « {x} » ?", "Quelqu’un a parlé de « {x} ». De quoi s’agit-il ?",
            "Donnez-moi, je vous prie, le sens de « {x} ».", "Comment définiriez-vous « {x} » ?",
        ),
    ),
    naming=Phrasings(
        trained=(
            "Quel terme signifie ceci : {d} ?", "Quel est le mot pour dire : {d} ?",
            "Il y a un terme pour cela : {d}. Lequel ?", "Quelle entrée du glossaire est définie ainsi : {d} ?",
            "Comment appelle-t-on ceci : {d} ?", "Nommez ceci : {d}.", "Voici la définition : {d}. Quel est le terme ?",
            "Quel nom donne-t-on à ceci : {d} ?", "Donnez le terme qui convient : {d}.", "On m’a décrit ceci : {d}. Quel en est le nom ?",
            "Quel nom va avec ceci : {d} ?",
        ),
        asked=("Je cherche le terme qui veut dire : {d}.", "Comment nommeriez-vous ceci : {d} ?"),
    ),
    describing=Phrasings(
        trained=(
            "Qu’est-ce exactement que {x} ?", "Décrivez {x}.", "Expliquez {x} à un débutant.",
            "Donnez la définition de {x}.", "Que faut-il savoir de {x} ?", "Comment le glossaire définit-il {x} ?",
            "Qu’est-ce que {x} ?", "Définissez {x}.", "{x} ?", "Qu’entend-on par {x} ?",
        ),
        asked=("Dites à un nouveau venu ce qu’est {x}.", "Décrivez en peu de mots ce qu’est {x}."),
    ),
    context=Phrasings(
        trained=(
            "Dans la phrase : « On a encore parlé de “{x}” », que veut dire “{x}” ?",
            "Quelqu’un a noté : « “{x}”, voir plus bas. » Que signifie “{x}” ?",
            "Une lettre dit : « Sans “{x}”, rien n’était possible. » Qu’est-ce que “{x}” ?",
            "En marge, il y a seulement : “{x}”. De quoi s’agit-il ?",
            "Hier on m’a dit : « Demandez d’abord “{x}”. » Que voulait-on ?",
            "Le procès-verbal porte : « “{x}” : accordé. » De quoi est-il question ?",
            "« Encore “{x}” ! » a-t-il soupiré. Que voulait-il dire ?", "Ma collègue parle sans cesse de “{x}”. Que veut-elle dire ?",
            "L’affiche dit : « Fermé à cause de “{x}”. » Pourquoi est-ce fermé ?",
            "« Il vous faudra “{x}” », m’a-t-on dit. Que me faut-il ?",
            "Que veut dire “{x}” dans « N’oubliez jamais “{x}” » ?",
        ),
        asked=(
            "J’ai entendu ceci : « Tout dépend de “{x}”. » De quoi parlaient-ils ?",
            "Le rapport cite deux fois “{x}” sans dire ce que c’est. Qu’est-ce que c’est ?",
        ),
    ),
    same=("« {x} » et « {y} », est-ce la même chose ?", "« {x} », est-ce un autre nom de « {y} » ?"),
    differ=("Quelle est la différence entre « {x} » et « {y} » ?", "Je confonds « {x} » et « {y} ». Lequel est lequel ?"),
    quoted="{x}",
    confirm=("« {x} » veut-il dire : {f} ?", "Est-il juste que « {x} » signifie : {f} ?"),
    alias=("Comment dit-on encore « {x} » ?", "« {x} » a-t-il un autre nom ?"),
    stands_for=("{x} signifie : {e}.", "{x} veut dire : {e}."),
    shortened=("Le sigle de « {e} » est {x}.", "« {e} » s’abrège {x}."),
    means=("« {x} » veut dire : {d}.", "« {x} » signifie : {d}."),
    states=("« {x} » : {d}.",),
    named=("Le terme est « {x} ».", "Cela s’appelle « {x} »."),
    described=("{x} signifie : {e}. C’est {d}.", "{x}, pour « {e} » : {d}."),
    senses="« {x} » a plusieurs sens ici : {list}.",
    yes="Oui. ",
    no="Non. ",
    also="« {x} » se dit aussi « {a} ».",
    glossary="glossaire",
    absent="« {x} » n’est pas dans ce glossaire.",
    absent_meaning="Un terme pour cela n’est pas dans ce glossaire.",
    leads=("", "Une petite question : ", "Bonjour. ", "Pour mes notes : ", "Je suis nouveau ici. ", "Aidez-moi, s’il vous plaît. "),
    swaps=(
        ("que l’on", "qu’on"), ("qu’on", "que l’on"), ("où l’on", "où on"),
        ("afin de", "pour"), ("lorsque", "quand"), ("par exemple", "ainsi"), ("presque", "à peu près"), ("souvent", "bien des fois"),
    ),
    articles=frozenset(("un", "une", "le", "la", "les", "des", "ce", "celui", "ceux", "quand")),
    modifiers=(
        "{x} noir", "{x} rouge", "vieux {x}", "petit {x}", "grand {x}", "{x} neuf", "premier {x}", "second {x}", "dernier {x}",
        "{x} double", "{x} libre", "faux {x}", "{x} long", "{x} court", "{x} d’été", "{x} de jour", "{x} de fer", "{x} ouvert",
        "sur-{x}", "sous-{x}", "contre-{x}", "demi-{x}", "non-{x}", "{x} de nuit", "{x} du matin", "maître {x}", "{x} en deux",
        "{x} du lac", "{x} d’en haut",
    ),
)  # fmt: skip
