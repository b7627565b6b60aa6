"""One process of the scaling benchmark: evaluate rows and print the speed, or score a folder of predictions."""

import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "scripts"), str(Path(__file__).parent)]

ROWS = 192


def main() -> None:
    from blindspots.evaluation.prediction import predict_logits
    from blindspots.evaluation.scoring import score

    if sys.argv[1] == "--score":
        score(Path(sys.argv[2]))
        return
    import torch
    from accelerate import PartialState
    from side_by_side import mnli
    from trl import ModelConfig

    from blindspots.artifacts.inputs import Source
    from blindspots.data.examples import task_texts
    from blindspots.modeling.classifier import load_classifier

    torch.set_num_threads(1)
    state = PartialState(cpu=True, backend="gloo")
    classifier = load_classifier(Source("base", Path(sys.argv[1]), None, "model"), ModelConfig(dtype="float32"))
    texts = task_texts(mnli("validation_matched", ROWS))
    predict_logits(classifier, texts[:8], 512)
    state.wait_for_everyone()
    start = time.perf_counter()
    predict_logits(classifier, texts, 1280)
    if state.is_main_process:
        speed = len(texts) / (time.perf_counter() - start)
        print(json.dumps({"rows_per_second": speed, "processes": state.num_processes}))


if __name__ == "__main__":
    main()
