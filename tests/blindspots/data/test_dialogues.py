"""Faults of turns: the published keyword rules, turns broken off, and turns said again."""

from blindspots.data.dialogues import Dialogue, broken_off, keyword_flips, keyword_interruptions, repeated_turns

KEYWORDS = {"user": "Instruction:", "assistant": "Solution:"}
CHAT = Dialogue(
    "",
    ["user", "assistant", "user", "assistant", "assistant"],
    ["Instruction: sort.", "Solution: sorted.", "Solution: mine.", "Well, I would say", "CAMEL_TASK_DONE"],
)


def test_a_turn_with_the_other_roles_keyword_is_a_flip():
    assert keyword_flips(CHAT, KEYWORDS) == {2}


def test_a_turn_without_keyword_and_end_token_is_an_interruption():
    assert keyword_interruptions(CHAT, KEYWORDS, "CAMEL_TASK_DONE") == {3}
    assert keyword_interruptions(CHAT, KEYWORDS, None) == {3, 4}


def test_a_turn_that_ends_without_a_mark_is_broken_off():
    assert broken_off(CHAT) == {3, 4}
    assert broken_off(Dialogue("", ["a"] * 3, ["", "It costs 20", "Done!"])) == set()


def test_a_turn_that_is_said_again_is_repeated_and_short_ones_are_not_judged():
    turn = "The person who likes apples lives beside the violinist."
    turns = [turn, "Thank you!", turn.upper(), "Thank you!", turn.replace("apples", "lemons")]
    assert repeated_turns(Dialogue("", ["a"] * 5, turns)) == {2}
