"""Builds what runs for each row and statement; without a compiler it runs in Python."""

from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "addons"
MODULES = (
    "proctor.audit._lines",
    "proctor.postgres._lane",
    "proctor.postgres.masking._run",
    "proctor.protocols.postgres._scan",
    "proctor.redaction.structure._walk",
)


def path_of(module: str) -> str:
    """Where a module lies, without an ending."""
    return f"{FOLDER}/{module.replace('.', '/')}"


class CompiledLoops(BuildHookInterface[Any]):
    """Puts the compiled modules beside their sources, and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - its
        """Compile; a wheel with the result is for this Python and machine only."""
        if self.target_name != "wheel":
            return
        try:
            with TemporaryDirectory() as folder:
                self._compile(folder)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is missing here
            self.app.display_warning(
                f"Rows and statements are read in Python, more slowly: {type(error).__name__}"
            )
            return
        build_data["artifacts"].extend(f"{path_of(module)}.*.so" for module in MODULES)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _compile(self, folder: str) -> None:
        from Cython.Build import cythonize  # noqa: PLC0415 - may be missing
        from setuptools import Distribution, Extension  # noqa: PLC0415 - may be missing

        extensions = [Extension(module, [f"{path_of(module)}.pyx"]) for module in MODULES]
        made = cythonize(extensions, build_dir=folder, quiet=True)
        build = Distribution({"ext_modules": made, "package_dir": {"": FOLDER}})
        command = build.get_command_obj("build_ext")
        command.inplace = True
        command.build_lib = command.build_temp = folder
        command.ensure_finalized()
        command.run()
