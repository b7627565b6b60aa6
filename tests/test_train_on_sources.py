"""From a recipe of sources to a page: train sets, models of people's and of a model's data, and a report."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from accelerate import PartialState
from huggingface_hub import DatasetCard, ModelCard
from made_sources import instruction_rows, labelled_rows, preference_rows

from blindspots.artifacts import folder as artifact_folder
from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli_datasets import read_split
from blindspots.data.people_rows import decided_pairs, prompted_texts
from blindspots.demo.base_model import tiny_base
from blindspots.evaluation.people import REWARD, predict_choices, read_people
from blindspots.evaluation.references import reference_nll
from blindspots.modeling import classifier
from blindspots.modeling.classifier import load_for_evaluation
from blindspots.modeling.generators import load_generator
from blindspots.modeling.loading import load_tokenizer

WORDS = ["A man sleeps.", "A dog runs.", "A woman sings."]
TRAINING = {
    "dtype": "float32",
    "use_cpu": True,
    "bf16": False,
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
LABELS = {
    "data_type": "task_labels",
    "sources": {"human": "people", "sharp": "sharp"},
    "codes": {"0": "no", "1": "maybe", "2": "yes"},
    "unit": ["text_id"],
}
PREFERENCES = {
    "data_type": "preferences",
    "sources": {"human": "people", "sharp": "model"},
    "codes": {"0": "first", "1": "second", "2": "tie"},
    "unit": ["question"],
}
TEXTS = {
    "data_type": "free_text",
    "sources": {"human": "source", "machine": "text"},
    "unit": ["source"],
    "row_filter": {"writer": "sharp"},
    "group_columns": ["writer"],
}
INSTRUCTIONS = {
    "data_type": "instructions",
    "machine": "sharp",
    "reference": "OUT/rows.parquet",
    "test_set": "OUT/test.parquet",
}
OF_INSTRUCTIONS = {"tokenizer": "WORLD/base", "train_tokens": 600, "train_rows": None, "longest": 300}
OF_TEXTS = {"people_filter": {"part": "train"}, "test_filter": {"part": "test"}}


def labelled():
    rows = labelled_rows(60)
    return rows.assign(text=[f"{WORDS[labels[0]]} {number}" for number, labels in enumerate(rows["sharp"])])


def rewritten():
    rows = labelled_rows(60)
    parts = ["machine"] * 20 + ["train"] * 20 + ["test"] * 20
    rows = rows.assign(part=parts, writer=["sharp" if part == "machine" else "people" for part in parts])
    rows["label"] = [("no", "maybe", "yes")[labels[0]] for labels in rows["sharp"]]
    rows["text"] = [f"{WORDS[labels[0]]} {number}" for number, labels in enumerate(rows["sharp"])]
    return rows.assign(source=[f"{WORDS[number % 3]} {number // 2}" for number in range(60)])


SETS = {
    "labels": (labelled, LABELS, {"text_columns": ["text"]}),
    "preferences": (lambda: preference_rows(90), PREFERENCES, {}),
    "free_text": (rewritten, TEXTS, OF_TEXTS),
    "instructions": (lambda: instruction_rows(40, words=4), INSTRUCTIONS, OF_INSTRUCTIONS),
}
SCRIPTS = {
    "preferences": ("finetune_preference", {}),
    "instructions": ("finetune_generator", {"prompts": True, "loss_on": "completion", "answer_tokens": 4}),
}


@pytest.fixture
def work(world, tmp_path, script):
    """Runs a script on a recipe that is written down, below one folder; `outputs` is OUT."""

    class Work:
        folder = tmp_path

        def run(self, name: str, recipe: dict, *arguments) -> None:
            file = tmp_path / f"{name}.yaml"
            text = yaml.safe_dump(recipe).replace("OUT", str(tmp_path)).replace("WORLD", str(world))
            file.write_text(text)
            script(name, file, *arguments)

        def prepare(self, name: str, **recipe):
            rows, compare, given = SETS[name]
            rows().to_parquet(tmp_path / "rows.parquet")
            instruction_rows(20, seed=2, words=3).to_parquet(tmp_path / "test.parquet")
            source = {"dataset": f"{tmp_path}/rows.parquet", "output_dir": "unused", "title": name, **compare}
            (tmp_path / "source.yaml").write_text(yaml.safe_dump(source).replace("OUT", str(tmp_path)))
            values = {"source_set": "OUT/source.yaml", "train_rows": 12, "test_rows": 10, "seeds": [0, 1]}
            self.run("prepare_sources", values | given | {"output_dir": "OUT/outputs/set"} | recipe)
            return tmp_path / "outputs/set"

        def train(self, name: str, config: str, **recipe):
            """A model of a config of the prepared set, in outputs/models."""
            values = {
                "model_name_or_path": "WORLD/base",
                "train_dataset": "OUT/outputs/set",
                "people": "OUT/outputs/set",
            }
            seed = int(config[-1])
            values |= {"train_config": config, "seed": seed, "output_dir": f"OUT/outputs/models/{config}"}
            script_name, extra = SCRIPTS.get(name, ("finetune_task", {"text_columns": ["text"]}))
            self.run(script_name, TRAINING | values | extra | recipe)
            return tmp_path / "outputs/models" / config

    return Work()


@pytest.mark.parametrize("name", SETS)
def test_from_recipe_to_page(work, name):
    folder = work.prepare(name)
    lineage = json.loads((folder / "lineage.json").read_text())
    configs = [config for config in lineage["row_counts"]["units"] if config != "test"]
    assert len(configs) == (6 if name == "free_text" else 4)
    for config in configs:
        work.train(name, config)
    report = {"models": "OUT/outputs/models", "sets": ["OUT/outputs/set"], "output_dir": "OUT/report"}
    work.run("report_sources", report)
    made = json.loads((work.folder / "report/trained.json").read_text())
    assert made["sets"][0]["test_rows"] == 10
    assert len(made["claims"]) == 1
    assert "trained on sharp's" in (work.folder / "report/README.md").read_text()
    work.run("report_sources", {"kept": "OUT/report", "output_dir": "OUT/again"})
    for file in sorted((work.folder / "report").iterdir()):
        assert (work.folder / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_set_is_an_artifact_with_card_and_lineage(work):
    folder = work.prepare("labels", test_rows=10)
    lineage = json.loads((folder / "lineage.json").read_text())
    assert lineage["recipe"]["source_settings"]["codes"] == LABELS["codes"]
    assert lineage["row_counts"]["units"] == dict.fromkeys(
        ["human-s0", "machine_sharp-s0", "human-s1", "machine_sharp-s1"], 12
    ) | {"test": 10}
    card = DatasetCard.load(folder / "README.md")
    assert "of units that are in no train set" in card.text
    assert "look for the same in classifiers" in card.text
    assert "nli" not in card.data.tags
    rows = read_split(fetch(str(folder), "dataset"), "train", "human-s0")
    assert rows.features["label"].names == ["no", "maybe", "yes"]


def test_a_classifier_knows_its_labels_by_name(work):
    work.prepare("labels")
    out = work.train("labels", "machine_sharp-s0", max_steps=30, learning_rate=3e-3)
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "no", "1": "maybe", "2": "yes"}
    recorded = json.loads((out / "lineage.json").read_text())
    assert recorded["artifact_type"] == "text_classifier"
    assert recorded["results"]["labels"] == ["no", "maybe", "yes"]
    assert recorded["results"]["people"]["rows"] == 10
    text = ModelCard.load(out / "README.md").text
    assert "accuracy" in text
    assert "labels over-represent those of the majority" in text


def test_a_reward_model_learns_what_is_chosen_and_is_saved_whole(work, tmp_path):
    """People of this set choose by a quality that no text shows; here the longer text is always chosen."""
    rows = preference_rows(120)
    longer = rows["text_1"].str.len() > rows["text_2"].str.len()
    rows = rows[rows["text_1"].str.len() != rows["text_2"].str.len()]
    SETS["longer"] = (lambda: rows.assign(people=(~longer).astype(int), model=longer.astype(int)), PREFERENCES, {})
    try:
        folder = work.prepare("longer", train_rows=40, test_rows=20)
    finally:
        del SETS["longer"]
    people, model = (
        work.train("preferences", f"{kind}-s0", max_steps=40, learning_rate=3e-3)
        for kind in ("human", "machine_sharp")
    )
    scores = [
        json.loads((out / "lineage.json").read_text())["results"]["people"]["accuracy"] for out in (people, model)
    ]
    assert scores[0] > 0.8 > 0.2 > scores[1]
    reopened = load_for_evaluation(fetch(str(people), "model"), labels=REWARD)
    test = decided_pairs(read_split(fetch(str(folder), "dataset"), "test", "test"), "x")
    predict_choices(reopened, test, 8192, tmp_path / "again")
    assert read_people(tmp_path / "again").equals(read_people(people))


@pytest.mark.parametrize(
    ("name", "recipe", "error", "message"),
    [
        ("labels", {"mnli": "WORLD/corpus/mnli"}, RecipeError, "test_sets hold premises and hypotheses"),
        ("labels", {"text_columns": None}, RecipeError, "people has no effect without text_columns"),
        ("labels", {"train_dataset": None, "train_config": None}, RecipeError, "text_columns needs train_dataset"),
        ("labels", {"text_columns": ["words"]}, UserError, "has no column words"),
        ("labels", {"model_name_or_path": "WORLD/start"}, UserError, "names its labels"),
        ("preferences", {"tokens_per_batch": 10}, RecipeError, "has no effect with tokens_per_batch"),
        ("preferences", {"share_prefix": False}, RecipeError, "share_prefix has no effect on a reward model"),
        ("preferences", {"model_name_or_path": None}, RecipeError, "model_name_or_path is required"),
        ("preferences", {"train_dataset": None, "train_config": None}, RecipeError, "train_dataset is needed"),
        ("preferences", {"eos_token": "<none>"}, RecipeError, "eos_token: the tokenizer of .* has no token '<none>'"),
        ("instructions", {"eos_token": "<none>"}, RecipeError, "eos_token: the tokenizer of .* has no token '<none>'"),
        ("instructions", {"answer_tokens": 256}, UserError, "prompt of people with answer_tokens 256 takes"),
        ("instructions", {"prompts": False}, RecipeError, "people has no effect without prompts"),
        ("preferences", {"max_length": 1}, UserError, "Every row is longer than 1 tokens"),
        ("preferences", {"use_peft": True, "lora_dropout": 0.1}, RecipeError, "lora_dropout has no effect"),
    ],
)
def test_a_mistake_stops_the_run_before_it_trains(work, name, recipe, error, message):
    work.prepare(name)
    with pytest.raises(error, match=message):
        work.train(name, "human-s0", **recipe)
    assert not (work.folder / "outputs/models/human-s0").exists()


def test_dev_rows_with_a_label_of_their_own_are_refused_before_training(work):
    work.prepare("labels")
    (work.folder / "dev").mkdir()
    rows = pd.DataFrame({"text": ["A cat.", "A dog."], "label": ["no", "perhaps"]})
    rows.to_parquet(work.folder / "dev/validation.parquet")
    with pytest.raises(UserError, match="dev has the labels no, perhaps, the train set no, maybe, yes"):
        work.train("labels", "human-s0", dev_dataset="OUT/dev", eval_strategy="epoch")


def test_a_tokenizer_without_eos_ends_texts_with_the_token_that_the_recipe_names(work, world):
    work.prepare("preferences")
    base = shutil.copytree(world / "base", work.folder / "base")
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        if (base / file).is_file():
            known = json.loads((base / file).read_text())
            (base / file).write_text(json.dumps({name: value for name, value in known.items() if name != "eos_token"}))
    with pytest.raises(RecipeError, match="has no eos token, which ends each text; set eos_token"):
        work.train("preferences", "human-s0", model_name_or_path=str(base))
    out = work.train("preferences", "human-s0", model_name_or_path=str(base), eos_token="<s>")
    assert load_tokenizer(fetch(str(out), "model")).eos_token == "<s>"


@pytest.mark.parametrize("precision", [{"load_in_4bit": True}, {"load_in_8bit": True}], ids=["nf4", "int8"])
def test_a_generator_is_evaluated_on_the_quantised_base_that_it_was_tuned_on(work, precision):
    pytest.importorskip("bitsandbytes")
    folder = work.prepare("instructions")
    wide, tokenizer = tiny_base(instruction_rows(40)["instruction"].tolist(), seed=0, hidden_size=64, layers=2)
    for part in (wide, tokenizer):  # a block of 4-bit weights is 64 wide
        part.save_pretrained(work.folder / "wide")
    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"]}
    keys = {"model_name_or_path": "OUT/wide", "dtype": "bfloat16", "bf16": True, **lora, **precision}
    out = fetch(str(work.train("instructions", "human-s0", **keys)), "model")
    recorded = json.loads((out.path / "lineage.json").read_text())["results"]["people"]["nll_per_token"]
    people = prompted_texts(read_split(fetch(str(folder), "dataset"), "test", "test"), "people")
    nll, tokens = reference_nll(load_generator(out, "float32"), load_tokenizer(out), people, 8192)
    assert recorded == pytest.approx(nll.sum() / tokens.sum(), rel=1e-6)


def test_a_reward_model_is_moved_after_every_process_has_read_it(work, monkeypatch):
    """Without people's rows nothing else makes the first process wait for the others."""
    events = []

    def noted(owner, name: str) -> None:
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **keys: (events.append(name), call(*args, **keys))[1])

    noted(classifier, "load_for_evaluation")
    noted(PartialState, "wait_for_everyone")
    noted(artifact_folder, "save_artifact")
    work.prepare("preferences")
    work.train("preferences", "human-s0", people=None)
    assert events[-3:] == ["load_for_evaluation", "wait_for_everyone", "save_artifact"]


def test_a_report_needs_the_models_of_its_sets(work):
    work.prepare("labels")
    work.train("labels", "human-s0")
    report = {"models": "OUT/outputs/models", "sets": ["OUT/outputs/set"], "output_dir": "OUT/report"}
    with pytest.raises(UserError, match="no model of machine_sharp-s0 is there; train every kind"):
        work.run("report_sources", report)
    with pytest.raises(RecipeError, match="Give exactly one of models"):
        work.run("report_sources", {"output_dir": "OUT/report"})
