"""The state of a local Hub: a folder of content-addressed blobs, commits, refs, tokens and collections.

    blobs/<sha256>                                   file contents
    repos/<kind>/<namespace>/<name>/repo.json        visibility, date of creation
                                   /commits/<oid>    parent, date, title, tree {path: {oid, size, sha256, lfs}}
                                   /refs/{heads,tags}/<name>   the commit that a branch or tag points to
    tokens.json                                      {token: {user, role, orgs: {org: role}}}
    collections/<namespace>/<slug>.json

Everything lives on disk and is read again at each request, so several servers over one folder serve the same Hub.
"""

import hashlib
import json
import re
import shutil
import uuid
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock

KINDS = ("models", "datasets", "spaces")
REPO_ID = re.compile(r"(?!.*(\.\.|--))[\w][\w.-]{0,95}/[\w][\w.-]{0,95}")
LFS_PATTERNS = ("*.safetensors", "*.parquet", "*.bin", "*.arrow", "*.npy", "*.npz", "*.gz", "*.zip", "*.pt", "*.model")
LFS_THRESHOLD = 10 * 1024**2  # bytes
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()
SEED_DATE = "2025-01-01T00:00:00.000Z"  # fixed, so that a seeded repo has the same commit in every store


class HubError(Exception):
    """An answer of the Hub other than success: HTTP status, `X-Error-Code` (or None), `X-Error-Message`.

    `commit` is the one in which an entry was not found; `body` is added to the JSON answer.
    """

    def __init__(self, status: int, code: str | None, message: str, commit: str | None = None, **body):
        super().__init__(message)
        self.status, self.body = status, {"error": message} | body
        headers = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        self.code, self.headers = code, {name: value for name, value in headers.items() if value}


def git_hash(content: bytes) -> str:
    """The id that git gives to a blob of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_lfs(path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes to large file storage: by its extension, its size, or a binary first piece."""
    return any(fnmatch(path, pattern) for pattern in LFS_PATTERNS) or size > LFS_THRESHOLD or b"\0" in sample


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class HubStore:
    """A Hub in a folder, created where it does not exist."""

    def __init__(self, root: Path):
        self.root = Path(root)
        for folder in ("blobs", "incoming", "repos", "collections"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.root / ".lock")

    def write(self, path: Path, content: bytes | dict | list) -> None:
        """The file appears whole or not at all."""
        if not isinstance(content, bytes):
            content = json.dumps(content, indent=1, sort_keys=True).encode()
        temporary = self.incoming()
        temporary.write_bytes(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)

    def incoming(self) -> Path:
        """A new path for a file that is not yet whole."""
        return self.root / "incoming" / uuid.uuid4().hex

    # Blobs

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256

    def add_blob(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.blob(sha256).exists():
            self.write(self.blob(sha256), content)
        return sha256

    def adopt_blob(self, path: Path, sha256: str) -> None:
        """Move an uploaded file in under its own hash. Raises HubError 400 if the content has another one."""
        if file_sha256(path) != sha256:
            path.unlink()
            raise HubError(400, None, "The sha256 of the uploaded content is not the oid of the object.")
        path.replace(self.blob(sha256))

    def lfs_entry(self, sha256: str) -> dict:
        """A tree entry. The git id stands for the pointer file, so it derives from the hash of the content."""
        pointer = git_hash(f"oid sha256:{sha256}\n".encode())
        return {"oid": pointer, "size": self.blob(sha256).stat().st_size, "sha256": sha256, "lfs": True}

    def regular_entry(self, content: bytes) -> dict:
        sha256 = self.add_blob(content)
        return {"oid": git_hash(content), "size": len(content), "sha256": sha256, "lfs": False}

    # Users

    def tokens(self) -> dict[str, dict]:
        path = self.root / "tokens.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def add_token(self, token: str, user: str, role: str = "write", orgs: dict[str, str] | None = None) -> None:
        """A token of `user` with `role` read or write; `orgs` gives the user's role in organisations."""
        with self.lock:
            self.write(
                self.root / "tokens.json", self.tokens() | {token: {"user": user, "role": role, "orgs": orgs or {}}}
            )

    def revoke_token(self, token: str) -> None:
        with self.lock:
            self.write(self.root / "tokens.json", {t: info for t, info in self.tokens().items() if t != token})

    # Repos

    def repo(self, kind: str, repo_id: str) -> "Repo":
        """Raises HubError 404 RepoNotFound."""
        folder = self.root / "repos" / kind / repo_id
        if kind not in KINDS or not REPO_ID.fullmatch(repo_id) or not (folder / "repo.json").exists():
            raise HubError(404, "RepoNotFound", "Repository not found")
        return Repo(self, kind, repo_id, folder)

    def repos(self, kind: str) -> list["Repo"]:
        folder = self.root / "repos" / kind
        ids = sorted(path.parent.relative_to(folder).as_posix() for path in folder.glob("*/*/repo.json"))
        return [Repo(self, kind, repo_id, folder / repo_id) for repo_id in ids]

    def create_repo(self, kind: str, repo_id: str, private: bool = False, date: str | None = None, **extra) -> "Repo":
        """A repo with the initial commit that the Hub makes. Raises HubError 400 for a bad name, 409 if it exists."""
        if kind not in KINDS or not REPO_ID.fullmatch(repo_id):
            raise HubError(400, None, f"Invalid repo name: {repo_id}")
        folder = self.root / "repos" / kind / repo_id
        with self.lock:
            if (folder / "repo.json").exists():
                raise HubError(409, None, f"You already created this {kind[:-1]} repo")
            repo = Repo(self, kind, repo_id, folder)
            tree = {".gitattributes": self.regular_entry(GITATTRIBUTES)}
            repo.set_ref("heads", "main", repo.write_commit(None, tree, "initial commit", "system", date or now()))
            self.write(folder / "repo.json", {"private": private, "createdAt": date or now(), **extra})
        return repo

    def seed(self, root: Path) -> None:
        """Make repos of `<root>/{datasets,models,spaces}/<namespace>/<name>/...`; links are not followed."""
        for kind in KINDS:
            for folder in sorted(path for path in Path(root).glob(f"{kind}/*/*") if path.is_dir()):
                repo_id = folder.relative_to(root / kind).as_posix()
                files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
                tree = {path.relative_to(folder).as_posix(): self.seed_entry(path) for path in files}
                repo = self.create_repo(kind, repo_id, date=SEED_DATE)
                first = repo.refs("heads")["main"]
                tree |= repo.tree(first)
                repo.set_ref("heads", "main", repo.write_commit(first, tree, "Upload files", "seed", SEED_DATE))

    def seed_entry(self, path: Path) -> dict:
        with path.open("rb") as file:
            sample = file.read(512)
        if not is_lfs(path.name, path.stat().st_size, sample):
            return self.regular_entry(path.read_bytes())
        copy = self.incoming()
        shutil.copyfile(path, copy)
        sha256 = file_sha256(copy)
        copy.replace(self.blob(sha256))
        return self.lfs_entry(sha256)

    # Collections

    def collection_path(self, slug: str) -> Path:
        return self.root / "collections" / f"{slug}.json"

    def collections(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted((self.root / "collections").glob("*/*.json"))]


class Repo:
    """One repository: commits are immutable files, refs point to them."""

    def __init__(self, store: HubStore, kind: str, repo_id: str, folder: Path):
        self.store, self.kind, self.id, self.folder = store, kind, repo_id, folder

    def delete(self) -> None:
        with self.store.lock:
            (self.folder / "repo.json").unlink()  # first: without it the repo does not exist
            shutil.rmtree(self.folder)

    def settings(self) -> dict:
        return json.loads((self.folder / "repo.json").read_text())

    def refs(self, kind: str) -> dict[str, str]:
        """`{name: commit}` of all branches (`heads`) or `tags`."""
        return {unquote(path.name): path.read_text() for path in sorted((self.folder / "refs" / kind).glob("*"))}

    def set_ref(self, kind: str, name: str, oid: str) -> None:
        """Point a branch or tag at a commit, whether or not it was there (no API of the Hub moves a tag)."""
        self.store.write(self.folder / "refs" / kind / quote(name, safe=""), oid.encode())

    def new_ref(self, kind: str, name: str, oid: str) -> None:
        """Raises HubError 409 if the branch or tag exists."""
        with self.store.lock:
            if name in self.refs(kind):
                raise HubError(409, None, f"{'Tag' if kind == 'tags' else 'Branch'} reference exists already")
            self.set_ref(kind, name, oid)

    def delete_ref(self, kind: str, name: str) -> None:
        if name not in self.refs(kind):
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {name}")
        (self.folder / "refs" / kind / quote(name, safe="")).unlink()

    def resolve(self, revision: str) -> str:
        """The commit of a branch, tag, PR (refs/pr/1) or of 7 digits or more. Raises HubError 404 RevisionNotFound."""
        for kind in ("heads", "tags", "pr"):
            refs = self.refs(kind)
            name = revision.removeprefix(f"refs/{kind}/")
            if name in refs and (kind != "pr" or name != revision):
                return refs[name]
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            matches = list((self.folder / "commits").glob(f"{revision}*"))
            if len(matches) == 1:
                return matches[0].name
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def commit(self, oid: str) -> dict:
        return json.loads((self.folder / "commits" / oid).read_text())

    def tree(self, oid: str) -> dict[str, dict]:
        return self.commit(oid)["tree"]

    def history(self, oid: str | None) -> list[dict]:
        """Commits from `oid` back to the first, each with its `id`."""
        commits = []
        while oid is not None:
            commits.append({"id": oid, **self.commit(oid)})
            oid = commits[-1]["parent"]
        return commits

    def write_commit(
        self, parent: str | None, tree: dict, title: str, author: str, date: str | None = None, message: str = ""
    ) -> str:
        content = {"parent": parent, "tree": tree, "title": title, "message": message, "author": author}
        content["date"] = date or now()
        oid = hashlib.sha1(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self.store.write(self.folder / "commits" / oid, content)
        return oid

    def push(self, branch: str, operations: list[dict], author: str) -> str:
        """Apply the lines of a commit request (`{key, value}`, the header first) to a branch.

        Raises:
            HubError: 404 for no such branch or file to delete, 400 for an LFS file that was never uploaded,
                412 if the branch is not at the header's `parentCommit`.
        """
        header, *changes = operations
        header = header["value"]
        with self.store.lock:
            heads = self.refs("heads")
            if branch not in heads:
                raise HubError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            if not heads[branch].startswith(header.get("parentCommit") or ""):
                raise HubError(412, None, "A commit has happened since. Please refresh and try again.")
            tree = self.tree(heads[branch])
            for change in changes:
                self.apply(tree, change["key"], change["value"])
            oid = self.write_commit(
                heads[branch], tree, header["summary"], author, message=header.get("description", "")
            )
            self.set_ref("heads", branch, oid)
        return oid

    def apply(self, tree: dict[str, dict], key: str, value: dict) -> None:
        path = value["path"]
        if key == "file":
            tree[path] = self.store.regular_entry(value["content"])
        elif key == "lfsFile":
            if not self.store.blob(value["oid"]).exists():
                raise HubError(400, None, f"LFS pointer of {path} points to a file that does not exist")
            tree[path] = self.store.lfs_entry(value["oid"])
        elif key in ("deletedFile", "deletedFolder"):
            gone = [name for name in tree if name == path or name.startswith(path.rstrip("/") + "/")]
            if not gone:
                raise HubError(404, "EntryNotFound", f"A file with this name doesn't exist: {path}")
            for name in gone:
                del tree[name]
        else:
            raise HubError(400, None, f"Unknown operation {key}")
