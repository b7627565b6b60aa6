"""Which keys a script takes: the class of its recipe, and the libraries' classes whose keys may stand there too."""

from blindspots.config import analysis_recipes, recipes, source_recipes

# What `parse_recipe` is given, by name of the script.
RECIPE_CLASSES: dict[str, tuple[type | str, ...]] = {
    "make_demo_inputs": (recipes.DemoRecipe,),
    "base_from_gguf": (recipes.GgufRecipe,),
    "prepare_mnli": (recipes.PrepareRecipe,),
    "finetune_task": (recipes.TaskRecipe, "TrainingArguments", "ModelConfig"),
    "finetune_generator": (recipes.GeneratorRecipe, "SFTConfig", "ModelConfig"),
    "merge_generator": (recipes.MergeRecipe,),
    "generate_synthetic": (recipes.SynthesisRecipe,),
    "build_variants": (recipes.VariantsRecipe,),
    "evaluate_task": (recipes.EvaluateRecipe,),
    "audit_dataset": (analysis_recipes.AuditRecipe,),
    "compare_sources": (source_recipes.CompareRecipe,),
    "prepare_sources": (source_recipes.PrepareSourcesRecipe,),
    "finetune_preference": (recipes.PreferenceRecipe, "RewardConfig", "ModelConfig"),
    "report_sources": (source_recipes.ReportSourcesRecipe,),
    "report": (analysis_recipes.ReportRecipe,),
    "check_dataset": (analysis_recipes.CheckRecipe,),
    "release": (analysis_recipes.ReleaseRecipe,),
    "reproduce_cell": (analysis_recipes.ReproduceRecipe,),
    "compare_published": (analysis_recipes.PublishedRecipe,),
}
