"""Which files of a dataset folder are a split, by its README or by their names, as `load_dataset` finds them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml
from datasets import DatasetInfo, Features
from datasets.data_files import DataFilesDict, get_data_patterns, sanitize_patterns
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from blindspots.artifacts.dataset_metadata import stated_metadata
from blindspots.config.errors import UserError, one_line
from blindspots.data.text_files import TEXT_ENDINGS, ending

# Their ending and the builder of `datasets` that reads them.
BINARY_ENDINGS = {".parquet": "parquet", ".arrow": "arrow"}
ROW_ENDINGS = (*TEXT_ENDINGS, *BINARY_ENDINGS)
KNOWN = ", ".join(name for name in ROW_ENDINGS if not name.endswith(".gz")) + " (text also with .gz)"
# Keys of a config that leave it to the file which of its lines are rows. A wrong separator shows in the column names.
_PART = re.compile(r"(?P<name>.*)[.-](?P<part>\d{5})-of-(?P<of>\d{5})(?P<ending>\..+)")
_HARMLESS_KEYS = {"data_files", "data_dir", "default", "description", "version", "features", "sep", "delimiter"}


@dataclass(frozen=True)
class DataFolder:
    """A dataset folder as its README describes it.

    name: of the folder, for messages.
    configs: config -> its keys, empty where the README has none.
    config: the config that is read, None for a folder without any.
    info: what the README states of the config's features and rows.
    """

    path: Path
    name: str
    configs: Mapping[str, Mapping[str, Any]]
    config: str | None
    info: DatasetInfo

    @classmethod
    def read(cls, path: Path, name: str, config: str | None = None) -> "DataFolder":
        """Read the README. Raises UserError where it can't be used, and where it names files outside the folder."""
        try:
            card = DatasetCardData(**stated_metadata(path, name))
            configs = MetadataConfigs.from_dataset_card_data(card)
            for other in configs:
                if not isinstance(other, str):
                    raise ValueError(f"the name of a config is {other!r}, not text")
            infos = DatasetInfosDict.from_dataset_card_data(card)
            config = config or configs.get_default_config_name()
            for pattern in _patterns(configs):
                _require_inside(pattern, name)
        except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            raise UserError(f"{name}: the metadata of its README can't be used: {one_line(error)}") from None
        alone = next(iter(infos.values())) if len(infos) == 1 and not configs else DatasetInfo()
        return cls(path, name, configs, config, infos.get(config or "default", alone))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The keys of the config that is read."""
        return self.configs.get(self.config, {})

    @property
    def features(self) -> Features:
        """The features that the README states, empty where it states none."""
        return self.settings.get("features") or self.info.features or Features()

    def files(self, split: str) -> list[Path]:
        """The files that hold the rows of a split; none where `datasets` alone knows what the split is.

        Raises UserError where config or split is not there, where a part of a file is not there or would be read
        twice, and where the split has files of several kinds: they may well hold the same rows.
        """
        found = self._by_split(f"config {self.config}, split {split}" if self.config else f"split {split}")
        texts = [file for files in found.values() for file in files if ending(file) in TEXT_ENDINGS]
        names = (split, split.replace("validation", "dev", 1))
        files = found.get(split) or [file for file in texts if file.name.partition(".")[0] in names]
        if not files and not texts and found:
            return []
        if not files:
            raise UserError(f"{self.name} has no split {split}; it has {', '.join(found)}.")
        rows = _row_files(files)
        if not rows:
            raise UserError(f"{self.name}, split {split}: {files[0].name} is none of {KNOWN}.")
        by_ending = {ending(file): file.name for file in rows}
        if len(by_ending) > 1:
            raise UserError(
                f"{self.name}, split {split}: files of several kinds, {', '.join(sorted(by_ending.values()))}. Keep "
                "those of one kind, or name the split's files in the README's configs."
            )
        if missing := _missing_parts(rows):
            raise UserError(f"{self.name}, split {split}: {missing}, so that rows are missing. Fetch all of them.")
        if twice := next((file for file in rows if rows.count(file) > 1), None):
            raise UserError(f"{self.name}, split {split}: {twice.name} would be read twice. Rename the file.")
        return rows

    def require_known_keys(self) -> None:
        """Raise UserError where the README says that some lines of a text file are not rows, or how to read them."""
        if unknown := sorted(self.settings.keys() - _HARMLESS_KEYS):
            raise UserError(
                f"{self.name}: its README sets {unknown[0]}, but a text file is read whole, with a header. Write the "
                "rows to a new file."
            )

    def _by_split(self, wanted: str) -> dict[str, list[Path]]:
        if self.config not in (self.configs or (None, "default")):
            there = f"name one of its configs, {', '.join(self.configs)}" if self.configs else "it has no configs"
            raise UserError(f"{self.name} has no {wanted}: {there}.")
        base = (self.path / (self.settings.get("data_dir") or "")).as_posix()
        given = self.settings.get("data_files")
        try:
            patterns = get_data_patterns(base) if given is None else sanitize_patterns(given)
            found = DataFilesDict.from_patterns(patterns, base_path=base)
        except (ValueError, FileNotFoundError) as error:
            raise UserError(f"{self.name} has no {wanted}: {one_line(error)}") from None
        return {str(split): [Path(file) for file in files] for split, files in found.items()}


def _row_files(files: list[Path]) -> list[Path]:
    """Those that may hold rows. Beside parquet, .json is metadata."""
    binary = any(ending(file) in BINARY_ENDINGS for file in files)
    return [file for file in files if ending(file) in ROW_ENDINGS and not (binary and ending(file) == ".json")]


def _missing_parts(files: list[Path]) -> str | None:
    """What of a file in parts, such as train-00000-of-00002.parquet, is not there; None where nothing is missing."""
    parts = [(file, match) for file in files if (match := _PART.fullmatch(file.name))]
    for file, match in parts:
        there = {other["part"] for beside, other in parts if _whole(beside, other) == _whole(file, match)}
        if len(there) < int(match["of"]):
            return f"{len(there)} of {int(match['of'])} parts of {file.name} are there"
    return None


def _whole(file: Path, match: re.Match) -> tuple[Path, str, str, str]:
    """What the parts of one file have in common."""
    return file.parent, match["name"], match["of"], match["ending"]


def _patterns(configs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Every pattern and folder that a README names."""
    for settings in configs.values():
        for patterns in sanitize_patterns(settings.get("data_files") or []).values():
            yield from map(str, patterns)
        yield str(settings.get("data_dir") or "")


def _require_inside(pattern: str, name: str) -> None:
    """Raise UserError for a pattern that may match files elsewhere: their text would go into an artifact."""
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or "::" in pattern or urlsplit(pattern).scheme:
        raise UserError(f"{name}: its README names {pattern}, which is outside the folder. Copy the files there.")
