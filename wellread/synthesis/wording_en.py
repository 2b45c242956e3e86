"""Questions and answers about a glossary in English."""

from wellread.synthesis.wording import Phrasings, Wording

WORDING = Wording(
    forward=Phrasings(
        trained=(
            "What does {x} stand for?", "What is {x} short for?", "What is the full form of {x}?", "Spell out {x}.",
            "Expand the acronym {x}.", "What do the letters {x} mean?", "{x}: what does that mean?",
            "Can you tell me what {x} stands for?", "Please write {x} out in full.", "Which words does {x} abbreviate?",
            "Give me the meaning of {x}.", "What does {x} mean?", "Unabbreviate {x}.", "Say what {x} stands for.",
        ),
        asked=(
            "Would you explain to me what {x} means?", "Someone wrote {x}. What would that be in full?",
            "Tell me the long form of {x}, please.", "How is {x} spelled out?",
        ),
    ),
    reverse=Phrasings(
        trained=(
            "Which acronym stands for {e}?", "What is {e} called for short?", "How is {e} abbreviated?",
            "What is the short form of {e}?", "Give the acronym of {e}.", "Which letters stand for {e}?",
            "How would one shorten {e}?", "{e}: which abbreviation is that?", "What is the acronym for {e}?",
            "Abbreviate {e}.", "Give me the letters for {e}.", "{e}, in letters?", "People say {e}. How do they put it in short?",
            "Someone spoke of {e}. Which acronym did I miss?",
        ),
        asked=(
            "What does one write for {e} in short?", "I want to abbreviate {e}. Which letters do I use?",
            "Name the abbreviation that means {e}.",
        ),
    ),
    meaning=Phrasings(
        trained=(
            "What does “{x}” mean?", "What is meant by “{x}”?", "Define “{x}”.", "Explain the term “{x}”.",
            "How does the glossary define “{x}”?", "In this glossary, what is “{x}”?", "“{x}”: what is that?",
            "Give the definition of “{x}”.", "What is “{x}”?", "I read about “{x}”. What is it?", "“{x}”?",
            "Say what “{x}” means.", "What should I understand by “{x}”?",
        ),
        asked=(
            "Would you explain to me what “{x}” means?", "Someone spoke of “{x}”. What is that supposed to be?",
            "Tell me the meaning of “{x}”, please.", "How would you define “{x}”?",
        ),
    ),
    naming=Phrasings(
        trained=(
            "Which term means this: {d}?", "What is the word for {d}?", "There is a term for this: {d}. Which is it?",
            "Which entry of the glossary is defined as: {d}?", "What does one call this: {d}?", "Name this: {d}.",
            "This is the definition: {d}. What is the term?", "What is the name for {d}?", "{d}: what is that called?",
            "How does the glossary call {d}?", "Give the term for this: {d}.", "Someone described this to me: {d}. What is its name?",
            "Which name belongs to this: {d}?",
        ),
        asked=("I am looking for the term that means: {d}.", "What would you call this: {d}?", "Which word stands for {d}?"),
    ),
    describing=Phrasings(
        trained=(
            "What is {x} exactly?", "Describe {x}.", "Explain {x} to a newcomer.", "Give the definition of {x}.",
            "What should I know about {x}?", "What is {x}, in a sentence?", "How does the glossary define {x}?",
            "What is {x}?", "Define {x}.", "I came across {x}. What is that?", "{x}?", "What is meant by {x}?",
            "Say briefly what {x} is.", "I have never heard of {x}. What is it?", "What sort of thing does {x} name?",
            "{x}, in a few words?",
        ),
        asked=("Tell a newcomer what {x} is.", "Describe in a few words what {x} is.", "What kind of thing is {x}?"),
    ),
    context=Phrasings(
        trained=(
            "In the sentence “They asked about {x} again”, what is {x}?",
            "Somebody noted: “{x}, see below.” What does {x} mean there?",
            "A letter says: “We have had no word of {x} since Monday.” What is {x}?",
            "“Without {x} it would not have been possible,” she said. What did she mean by {x}?",
            "On the margin stands only “{x}”. What does it refer to?",
            "Yesterday someone told me: “Ask for {x} first.” What did he want?", "The minutes say: “{x}: agreed.” What was that about?",
            "“{x} again!” he sighed. What did he mean?", "There is a line in the ledger with {x} in it. What does that say?",
            "My colleague keeps talking of {x}. What does she mean?", "The notice reads: “Closed because of {x}.” Why is it closed?",
            "“You will need {x},” I was told. What will I need?", "The letter ends with the words “as for {x}, later”. What is {x}?",
            "I do not follow this: “We settled {x} in the end.” What is {x}?", "What is {x} in “Never forget {x}”?",
            "They have used {x} here for years, and nobody says why. What is it?", "Is {x} still where it was? And what is it?",
        ),
        asked=(
            "I overheard this: “It all depends on {x}.” What were they talking about?",
            "The report mentions {x} twice without saying what it is. What is it?",
        ),
    ),
    same=("Are {x} and {y} the same?", "Is {x} another name for {y}?"),
    differ=("What is the difference between {x} and {y}?", "I mix up {x} and {y}. Which is which?", "{x} or {y}: which is which?"),
    quoted="“{x}”",
    confirm=("Does {x} mean {f}?", "Is it right that {x} stands for {f}?", "{x} means {f}, doesn’t it?"),
    alias=("What else is {x} called?", "Is there another name for {x}?"),
    stands_for=("{x} stands for {e}.", "{x} means {e}.", "{x} is short for {e}."),
    shortened=("The acronym for {e} is {x}.", "{e} is abbreviated {x}.", "{x} stands for {e}."),
    means=("“{x}” means {d}.", "“{x}” is {d}."),
    states=("“{x}”: {d}.",),
    named=("The term is “{x}”.", "That is called “{x}”."),
    described=("{x} stands for {e}: {d}.", "{x}, {e}, means {d}.", "{e}, or {x}: {d}."),
    senses="{x} has several meanings here: {list}.",
    yes="Yes. ",
    no="No. ",
    also="“{x}” is also called “{a}”.",
    glossary="glossary",
    absent="“{x}” is not in this glossary.",
    absent_meaning="A term for that is not in this glossary.",
    leads=("", "A quick question: ", "Hello. ", "For my notes: ", "I am new here. ", "Please help me. "),
    swaps=(
        ("the one who", "the person who"), ("one who", "someone who"), ("in which", "where"), ("on which", "where"),
        ("a great many", "very many"), ("chiefly", "mostly"), ("begins", "starts"), ("nearly", "almost"), ("often", "frequently"),
        ("in order to", "to"), ("for example", "for instance"),
    ),
    articles=frozenset(("a", "an", "the", "any", "one", "said", "some", "what", "every", "to")),
    modifiers=(
        "black {x}", "red {x}", "old {x}", "new {x}", "great {x}", "little {x}", "upper {x}", "inner {x}", "first {x}", "second {x}",
        "last {x}", "double {x}", "free {x}", "false {x}", "long {x}", "short {x}", "summer {x}", "day {x}", "iron {x}", "open {x}",
        "over-{x}", "sub-{x}", "non-{x}", "counter-{x}", "co-{x}", "pre-{x}", "{x} paper", "{x} hour", "{x} master", "{x} line",
        "{x} of the day", "{x} by halves",
    ),
)  # fmt: skip
