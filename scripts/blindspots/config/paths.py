"""Where the parts of the checkout are. The scripts are run from a checkout, not from an installed package."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "recipes"
TEST_SETS = RECIPES / "test_sets"
ACCELERATE_CONFIGS = ROOT / "accelerate_configs"
MODEL_CARDS = ROOT / "model_cards"
DATA_CARDS = ROOT / "data_cards"
EVALUATE_MODULES = ROOT / "evaluate_modules"
PAPER_POINTS = ROOT / "results" / "paper" / "figure1_points.csv"
