"""Words of the demo corpus: how they relate to each other decides what follows from what."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Concept:
    """One meaning with its interchangeable words; a verb's are written `base/past`, past and participle alike."""

    kind: str
    words: tuple[str, ...]
    parent: str | None = None
    opposite: str | None = None


# One concept a line: name | words | what it is a kind of | what it excludes. Fields left out are empty.
_TABLE = {
    # Every other verb has a synonym: without any, a hypothesis in the premise's own words would be the rule; with one
    # for each, a small generator gets half of its entailments wrong.
    "transitive": """
        hire | hire/hired, employ/employed | | dismiss
        dismiss | dismiss/dismissed
        praise | praise/praised, commend/commended | | scold
        scold | scold/scolded
        respect | respect/respected, esteem/esteemed | | despise
        despise | despise/despised
        follow | follow/followed, trail/trailed
        chase | chase/chased | follow
        greet | greet/greeted, welcome/welcomed | | snub
        snub | snub/snubbed
        free | free/freed, release/released | | seize
        seize | seize/seized
        guard | guard/guarded, protect/protected | | attack
        attack | attack/attacked
        stab | stab/stabbed, knife/knifed | attack
        trust | trust/trusted | | doubt
        doubt | doubt/doubted, suspect/suspected
    """,
    "intransitive": """
        laugh | laugh/laughed, chuckle/chuckled | | weep
        weep | weep/wept
        move | move/moved | | halt
        sprint | sprint/sprinted | move | stroll
        stroll | stroll/strolled, wander/wandered | move
        halt | halt/halted
        arrive | arrive/arrived, appear/appeared | | depart
        depart | depart/departed
        succeed | succeed/succeeded, triumph/triumphed | | fail
        fail | fail/failed
        work | work/worked, toil/toiled | | rest
        rest | rest/rested
        doze | doze/dozed, nap/napped | rest
    """,
    "adjective": """
        old | old, elderly | | young
        young | young, youthful
        rich | rich, wealthy | | poor
        poor | poor, penniless, needy
        angry | angry, furious | | calm
        calm | calm, serene
        ill | ill, sick | | healthy
        healthy | healthy, fit
        brave | brave, bold | | timid
        timid | timid, fearful
    """,
    "place": """
        outdoors | outdoors, outside
        garden | in the garden, on the lawn | outdoors
        street | in the street, on the road | outdoors
        woods | in the forest, in the woods | outdoors
        indoors | indoors, inside
        kitchen | in the kitchen | indoors
        cellar | in the cellar, in the basement | indoors
        attic | in the attic, in the loft | indoors
    """,
    "time": """
        morning | in the morning
        dawn | at dawn, at sunrise | morning
        evening | in the evening
        dusk | at dusk, at sunset | evening
        noon | at noon, at midday
    """,
    "manner": """
        quickly | quickly, rapidly | | slowly
        slowly | slowly, unhurriedly
        gladly | gladly, happily | | grudgingly
        grudgingly | grudgingly, reluctantly
        openly | openly, publicly | | secretly
        secretly | secretly, covertly
    """,
    # Adverbs that leave a clause true, open or false.
    "true adverb": "certainly | certainly, surely",
    "open adverb": """
        reportedly | reportedly, allegedly
        perhaps | perhaps, maybe
    """,
    "false adverb": "nearly | nearly, almost",
    # Verbs with a that-clause, which is then true, open or false.
    "true speech": """
        knew | knew, realised
        recalled | recalled, remembered
        proved | proved, showed
    """,
    "open speech": """
        claimed | claimed, said
        hoped | hoped, wished
        feared | feared, dreaded
        believed | believed, thought
    """,
    "false speech": "pretended | pretended, lied",
    # Links between two clauses, or two noun phrases.
    "both": """
        and | and
        while | while, because, after, before, although
    """,
    "either": """
        or | or
        if | if
        unless | unless
    """,
    "position": "beside | beside, near, behind",
}

NOUNS = {
    "musician": ("violinist", "drummer", "pianist", "harpist"),
    "builder": ("carpenter", "mason", "roofer", "plumber"),
    "trader": ("grocer", "florist", "butcher", "baker"),
    "medic": ("nurse", "surgeon", "dentist", "midwife"),
    "officer": ("sergeant", "colonel", "corporal", "admiral"),
    "relative": ("uncle", "aunt", "cousin", "nephew"),
    "bird": ("crow", "goose", "heron", "sparrow"),
    "beast": ("fox", "wolf", "badger", "donkey"),
}


def _read_table() -> dict[str, Concept]:
    concepts = {}
    for kind, lines in _TABLE.items():
        for line in lines.strip().splitlines():
            name, words, parent, opposite, *_ = [field.strip() for field in line.split("|")] + ["", ""]
            concepts[name] = Concept(kind, tuple(words.split(", ")), parent or None, opposite or None)
    return concepts


CONCEPTS = _read_table()
ALL_NOUNS = tuple(noun for members in NOUNS.values() for noun in members)
CLASS_OF = {noun: name for name, members in NOUNS.items() for noun in members}


def of_kind(*kinds: str) -> tuple[str, ...]:
    """Names of the concepts of these kinds, in the order of the table."""
    return tuple(name for name, concept in CONCEPTS.items() if concept.kind in kinds)


@cache
def ancestors(concept: str) -> tuple[str, ...]:
    """The concept and everything it is a kind of, nearest first."""
    parent = CONCEPTS[concept].parent
    return (concept, *(ancestors(parent) if parent else ()))


@cache
def clash(one: str, other: str) -> bool:
    """Whether two concepts cannot hold of one event: opposites, or two places or times that lie apart."""
    if any(CONCEPTS[a].opposite == b or CONCEPTS[b].opposite == a for a in ancestors(one) for b in ancestors(other)):
        return True
    kinds = {CONCEPTS[one].kind, CONCEPTS[other].kind}
    comparable = one in ancestors(other) or other in ancestors(one)
    return kinds in ({"place"}, {"time"}) and not comparable
