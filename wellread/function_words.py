"""Words that hold sentences together and say little themselves, English and French, spelt as `matching.words` does.

Articles, pronouns, prepositions, conjunctions, auxiliaries, and the adverbs of place, time and degree that every
subject needs: a writer's shares of them follow habit rather than topic (Mosteller and Wallace 1964), and no name is
among them. Contractions stand as one word without their apostrophe (`dont`), elided French particles as a letter (`l`).
"""

from __future__ import annotations

from collections.abc import Mapping

_ENGLISH = """
a an the this that these those such same other another each every either neither both all any some no none many much
more most few less least several enough own one ones two i me my mine myself you your yours yourself he him his
himself she her hers herself it its itself we us our ours ourselves they them their theirs themselves who whom whose
which what whatever whoever oneself somebody someone something anybody anyone anything nobody nothing everybody
everyone everything about above across after against along amid among amongst around as at before behind below beneath
beside besides between beyond but by concerning despite down during except for from in inside into like near of off on
onto out outside over past round since through throughout till to towards toward under underneath until unto up upon
with within without and or nor so yet if unless whether because though although while whilst whereas than lest else am
is are was were be been being isnt arent wasnt werent have has had having hasnt havent hadnt do does did done doing
dont doesnt didnt will would shall should can could may might must ought need wont wouldnt shouldnt cant couldnt
cannot not never ever always often sometimes seldom again also too very quite rather almost nearly only just even
still already now then there here where when why how however therefore thus hence thence hither thither indeed perhaps
once twice soon later ago away back together apart instead otherwise moreover nevertheless first last next well
"""
_FRENCH = """
le la les l un une des du de d au aux ce c cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur
leurs quel quelle quels quelles tout toute tous toutes quelque quelques plusieurs chaque aucun aucune nul nulle même
mêmes tel telle tels telles autre autres certain certaine certains certaines je j me m moi tu te t toi il elle on nous
vous ils elles se s soi lui eux y en ça cela ceci celui celle ceux celles qui que qu quoi dont où lequel laquelle
lesquels lesquelles auquel duquel rien personne quelqu à après avant avec chez contre dans depuis derrière dès devant
durant entre envers hors jusque jusqu malgré outre par parmi pendant pour sans sauf selon sous sur vers voici voilà et
ou ni mais or donc car si comme quand lorsque lorsqu puisque puisqu parce quoique quoiqu tandis afin ne n pas point
plus jamais guère moins aussi très trop peu assez beaucoup tant autant tellement bien presque toujours souvent parfois
encore déjà enfin ensuite puis alors ainsi maintenant aujourdhui hier demain bientôt ici là ailleurs partout dehors
dedans dessus dessous loin près ensemble plutôt surtout seulement cependant pourtant peut être comment pourquoi
combien oui non suis es est sommes êtes sont étais était étions étaient fus fut furent sera serait seraient soit fût
été étant ai as a avons avez ont avais avait avions avaient eus eut eurent aura aurait auraient ait eût eu ayant fait
faisait fit faire
"""
ENGLISH, FRENCH = frozenset(_ENGLISH.split()), frozenset(_FRENCH.split())
LISTS: Mapping[str, frozenset[str]] = {"en": ENGLISH, "fr": FRENCH}
NAMES: Mapping[str, str] = {"en": "English", "fr": "French"}
LEAST_SHARE = 0.3
"""Prose is made of these words to a half; a text in another language has some of them by chance."""


def language(counts: Mapping[str, int]) -> str:
    """`en` or `fr`, by which list holds more of a text's words; empty where neither holds three in ten."""
    total = sum(counts.values())
    shares = {name: sum(counts.get(word, 0) for word in words) for name, words in LISTS.items()}
    best = max(shares, key=lambda name: shares[name])
    return best if total and shares[best] >= LEAST_SHARE * total else ""
