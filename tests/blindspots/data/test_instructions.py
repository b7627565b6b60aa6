"""Signs of corrupt instructions: each on a text that shows it and on one beside it that does not."""

import pytest

from blindspots.data import instructions
from blindspots.data.instructions import Task, signs

ANSWER = "A good answer that ends as it should."
LONG = "It begins here. " + "Then it goes on and on for a while " * 5


@pytest.mark.parametrize(
    ("task", "sign"),
    [
        (Task("Say hello.", "", " "), instructions.EMPTY),
        (Task("Summarise the following article.", "", ANSWER), instructions.MISSING_INPUT),
        (Task("Count the words in this sentence.", "", ANSWER), instructions.MISSING_INPUT),
        (Task("Sort the list below", "", ANSWER), instructions.MISSING_INPUT),
        (Task("Divide 8 by 2 in Python.", "", "Divide 8 by 2 in Python: print(8 / 2)"), instructions.REPEATS),
        (Task("Draw a cat.", "", "I'm sorry, but I can't draw."), instructions.REFUSAL),
        (Task("Draw a cat.", "", "N/A"), instructions.REFUSAL),
        (Task("Who is best?", "", "As an AI language model, I have no favourite."), instructions.REFUSAL),
        (Task("Draw a cat.", "", "<No Output>"), instructions.RESIDUE),
        (Task("Draw a cat.\n### Response", "", ANSWER), instructions.RESIDUE),
        (Task("Draw.", "", "Instruction: draw a cat."), instructions.RESIDUE),
        (Task("Tell me.", "", "He went to the"), instructions.CUT),
        (Task("Tell me.", "", "Red, green,"), instructions.CUT),
        (Task("Tell me.", "", LONG.strip()), instructions.NO_MARK),
    ],
)
def test_a_fault_is_seen(task, sign):
    assert sign in signs(task)
    assert sign in instructions.RULES


@pytest.mark.parametrize(
    "task",
    [
        Task("Say hello.", "", "Hello."),
        Task("Say hello.", None, "Hello"),
        Task("Summarise the following article.", "An article.", ANSWER),
        Task("Summarise the following article.", None, ANSWER),
        Task('Translate the following sentence: "Good day."', "", ANSWER),
        Task("Which of the following items is red: a rose or a lily?", "", ANSWER),
        Task("Is the following sentence true? Dogs are able to fly.", "", ANSWER),
        Task("Answer a complaint.", "", "I'm sorry to hear that. We will send another."),
        Task("Write code.", "", "x = 3  # Output: 3"),
        Task("Sort these words.", "the, a", "a, the"),
        Task("Name a key.", "", "In A"),
        Task("Say yes.", "", "yes"),
    ],
)
def test_a_sound_task_shows_none(task):
    assert signs(task) == []
