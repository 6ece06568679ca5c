"""The check `terraform`: the committed files have nothing to find, and each rule finds what is planted."""

import json
import shutil
from pathlib import Path

import pytest

from infra.checks import contracts, terraform
from infra.checks.finding import Finding, Skipped

ROOT = Path(__file__).resolve().parents[3]
HOME = Path("infra/terraform")


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the check reads."""
    shutil.copytree(ROOT / HOME, tmp_path / HOME, ignore=shutil.ignore_patterns(".terraform*"))
    for file in (terraform.terraform_contracts.ACCOUNT, contracts.WORKER):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def plant(checkout, file, old, new):
    """Put `new` where `old` is, once; the line of it, counted from 1."""
    path = checkout / HOME / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def found(checkout):
    return list(terraform.content(checkout))


def test_the_committed_files_have_nothing_to_find():
    assert [str(f) for f in (*terraform.form(ROOT), *terraform.content(ROOT)) if isinstance(f, Finding)] == []


# What is planted: file, text, text instead, where it is found (empty: in that file), part of what is said.
PLANTED = {
    "a variable without a type": ("modules/language/variables.tf", "  type        = bool\n", "", "", "variable local_auth has no type"),
    "a variable without a description": (
        "modules/language/variables.tf",
        '  description = "Azure region."\n',
        "",
        "",
        "variable location has no description",
    ),
    "a variable that nothing uses": (
        "modules/keyvault/variables.tf",
        'variable "tags" {',
        'variable "idle" {\n  description = "None."\n  type        = string\n  default     = ""\n}\n\nvariable "tags" {',
        "",
        "variable idle is not used",
    ),
    "a variable used only by its own validation": (
        "modules/storage/main.tf",
        "days = var.soft_delete_days\n    }\n\n    container_delete_retention_policy {\n      days = var.soft_delete_days",
        "days = 7\n    }\n\n    container_delete_retention_policy {\n      days = 7",
        "modules/storage/variables.tf",
        "variable soft_delete_days is not used",
    ),
    "a variable that is not declared": ("modules/identity/main.tf", "var.location", "var.region", "", "var.region is not declared"),
    "a variable that is not declared, in a text": (
        "modules/network/main.tf",
        '"${var.name}-vnet"',
        '"${var.prefix}-vnet"',
        "",
        "var.prefix is not declared",
    ),
    "an output without a description": (
        "modules/keyvault/outputs.tf",
        '  description = "Address of the vault."\n',
        "",
        "",
        "output uri has no description",
    ),
    "a local that nothing uses": (
        "azure/main.tf",
        '  lake_folder = "c360"',
        '  lake_folder = "c360"\n  idle = 1',
        "",
        "local idle is not used",
    ),
    "a resource that does not exist": (
        "modules/storage/main.tf",
        "scope                = azurerm_storage_container.lake.id",
        "scope                = azurerm_storage_container.pond.id",
        "",
        "azurerm_storage_container.pond is not declared",
    ),
    "data that does not exist": (
        "azure/main.tf",
        "data.azurerm_client_config.current.tenant_id",
        "data.azurerm_client_config.me.tenant_id",
        "",
        "azurerm_client_config.me is not declared",
    ),
    "a module that does not exist": ("azure/main.tf", "module.keyvault.id,", "module.vault.id,", "", "module.vault is not declared"),
    "an output that a module does not have": (
        "azure/main.tf",
        "module.network.virtual_network_id",
        "module.network.vnet_id",
        "",
        "module network has no output vnet_id",
    ),
    "an input that a module does not have": (
        "azure/main.tf",
        "  sku                 = var.language_sku",
        "  size                = var.language_sku",
        "",
        "module language has no variable size",
    ),
    "an input that is not given": (
        "azure/main.tf",
        "  local_auth          = var.language_local_auth\n",
        "",
        "",
        "module language is not given local_auth",
    ),
    "a source elsewhere": (
        "azure/main.tf",
        'source = "../modules/language"',
        'source = "../modules/languages"',
        "",
        "module language has no source",
    ),
    "a module that nobody calls": (
        "databricks/main.tf",
        'source = "../modules/databricks_objects"',
        'source = "../modules/snowflake"',
        "modules/databricks_objects",
        "no root calls this module",
    ),
    "a provider without a pin": (
        "modules/network/versions.tf",
        'version = "~> 5.2"',
        'version = ">= 5.2"',
        "",
        "provider azurerm has no source or is not pinned",
    ),
    "a provider of another version": (
        "modules/storage/versions.tf",
        'version = "~> 5.2"',
        'version = "~> 4.1"',
        "modules/storage/versions.tf",
        "provider azurerm is",
    ),
    "a provider that is not required": (
        "modules/snowflake/versions.tf",
        "    snowflake = {",
        "    snowflakes = {",
        "modules/snowflake/main.tf",
        "provider snowflake is not required",
    ),
    "no version of Terraform": (
        "modules/language/versions.tf",
        '  required_version = ">= 1.9, < 2.0"\n',
        "",
        "",
        "no required_version of Terraform",
    ),
    "no remote state": ("snowflake/versions.tf", '  backend "azurerm" {}\n', "", "", "no remote state"),
    "a lifecycle that deletes": (
        "modules/storage/main.tf",
        "tier_to_cool_after_days_since_modification_greater_than",
        "delete_after_days_since_modification_greater_than",
        "",
        "deletes or archives files of the lake by their age",
    ),
    "a password": (
        "snowflake/versions.tf",
        '  role              = "ACCOUNTADMIN"',
        '  role              = "ACCOUNTADMIN"\n  password          = "hunter22"',
        "",
        "this looks like a secret",
    ),
    "a key in an example": (
        "azure/terraform.tfvars.example",
        'unique               = "acme"',
        'unique = "Endpoint=sb://x/;SharedAccessKey=abcdef="',
        "",
        "this looks like a secret",
    ),
    "a setting that is none": ("azure/outputs.tf", "C360_LAKE__ROOT ", "C360_LAKE__PATH ", "", "C360_LAKE__PATH is no setting"),
    "a setting that is none, of a user": (
        "snowflake/main.tf",
        "C360_WAREHOUSE__HOST ",
        "C360_WAREHOUSE__SERVER ",
        "",
        "C360_WAREHOUSE__SERVER is no setting",
    ),
    "a topic that is none": ("azure/main.tf", '["shop.orders.events"]', '["shop.orders.event"]', "", "shop.orders.event is no topic"),
    "a user that is none": ("snowflake/outputs.tf", '"C360_CARE"', '"C360_PAGE"', "", "C360_PAGE is no user of the warehouse"),
    "a value that the next root does not take": (
        "azure/outputs.tf",
        "    job_client_id  ",
        "    lake_client_id ",
        "",
        "output databricks: the root databricks has no variable lake_client_id",
    ),
    "other topics than the code's": (
        "contracts.json",
        '"partitions": 1,\n      "cleanup_policy": "delete"',
        '"partitions": 2,\n      "cleanup_policy": "delete"',
        "",
        "it is not what schemas/ says",
    ),
    "other roles than the script's": ("contracts.json", '"C360_OPS": "Reads', '"C360_OPERATOR": "Reads', "", "roles differ from"),
    "another timeout than the script's": (
        "contracts.json",
        '"statement_timeout_s": 300',
        '"statement_timeout_s": 900',
        "",
        "C360_BI has another timeout",
    ),
    "another network policy than the script's": (
        "contracts.json",
        '"network_policy": "C360_SERVICES"',
        '"network_policy": "C360_OTHERS"',
        "",
        "C360_OTHERS is not in",
    ),
}
WHOLE = ("no root calls", "no required_version", "no remote state", "it is not what", "roles differ", "has another timeout", "is not in")


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(checkout, name):
    file, old, new, place, said = PLANTED[name]
    plant(checkout, file, old, new)
    hits = [f for f in found(checkout) if said in f.what and f.file == HOME / (place or file)]
    assert hits, f"not found: {[str(f) for f in found(checkout)]}"
    assert all(f.hint for f in hits)
    assert all(f.line > 0 for f in hits) or any(part in said for part in WHOLE)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("modules/identity/main.tf", "= var.location", "= var.region"),
        ("azure/main.tf", "= local.name\n  location            = var.location", "= local.nothing\n  location            = var.location"),
        ("azure/outputs.tf", "module.language.endpoint", "module.language.address"),
    ],
)
def test_a_reference_is_found_in_its_line(checkout, file, old, new):
    line = plant(checkout, file, old, new)
    assert [(f.file, f.line) for f in found(checkout) if "not declared" in f.what or "no output" in f.what] == [(HOME / file, line)]


def test_a_comment_and_a_text_refer_to_nothing(checkout):
    plant(checkout, "azure/main.tf", "  lake_folder =", '  # var.nothing, and module.nowhere.x\n  said = "var.nothing.x"\n  lake_folder =')
    assert [f.what for f in found(checkout)] == ["local said is not used"]


def test_what_is_no_hcl_is_found_in_its_line(checkout):
    line = plant(checkout, "modules/language/main.tf", "resource ", "resource = = ")
    (one,) = found(checkout)
    assert (one.file, one.line) == (HOME / "modules/language/main.tf", line)
    assert one.what.startswith("not HCL")


def test_a_missing_example_of_a_backend_is_found(checkout):
    (checkout / HOME / "azure/backend.hcl.example").unlink()
    assert [(str(f.file), f.what) for f in found(checkout)] == [(f"{HOME}/azure/backend.hcl.example", "it is missing")]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not here")
def test_a_file_out_of_form_is_found(checkout):
    plant(checkout, "modules/language/main.tf", "  sku_name ", " sku_name ")
    (one,) = terraform.form(checkout)
    assert (one.file, one.what) == (HOME / "modules/language/main.tf", "not formatted")


def test_without_terraform_its_form_is_said_to_be_skipped(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert [type(f) for f in terraform.form(ROOT)] == [Skipped]


def test_without_checkov_that_is_said(tmp_path):
    assert [type(f) for f in terraform.policy(tmp_path)] == [Skipped]


@pytest.mark.skipif(not (ROOT / terraform.CHECKOV).is_file(), reason="no environment with checkov: make check")
def test_checkov_finds_what_is_planted_and_what_is_skipped_for_nothing(checkout):
    """One run for both: a run takes many seconds."""
    tool = checkout / terraform.CHECKOV
    tool.parent.mkdir(parents=True)
    tool.symlink_to((ROOT / terraform.CHECKOV).resolve())
    line = plant(checkout, "modules/storage/main.tf", 'min_tls_version                   = "TLS1_2"', 'min_tls_version = "TLS1_0"')
    plant(checkout, "azure/variables.tf", 'default     = "ZRS"', 'default     = "GZRS"')
    hits = list(terraform.policy(checkout))
    tls = [f for f in hits if "CKV_AZURE_44" in f.what]
    assert [(f.file, line - f.line > 0) for f in tls] == [(HOME / "modules/storage/main.tf", True)]
    idle = "CKV_AZURE_206 of module.storage.azurerm_storage_account.lake is skipped and not found"
    assert [(f.file, f.what) for f in hits if f not in tls] == [(terraform.SKIPS, idle)]


def failed(check="CKV_X_1", resource="a.b"):
    return {"check_id": check, "resource": resource, "check_name": "Ensure", "file_path": "/azure/main.tf", "file_line_range": [7, 9]}


@pytest.mark.parametrize("reason", [None, "", {}])
def test_a_skip_without_a_reason_is_none(reason):
    (one,) = terraform.judged({"results": {"failed_checks": [failed()]}}, [{"check": "CKV_X_1", "resource": "a.b", "reason": reason}])
    assert (one.file, one.line) == (HOME / "azure/main.tf", 7)


def test_a_skip_is_of_one_resource():
    skips = [{"check": "CKV_X_1", "resource": "a.b", "reason": "so"}]
    answer = {"results": {"failed_checks": [failed(), failed(resource="a.c")]}}
    assert [f.what for f in terraform.judged(answer, skips)] == ["CKV_X_1 of a.c: Ensure"]


def test_an_answer_of_checkov_without_results_is_a_finding():
    assert [f.what for f in terraform.judged({"passed": 0}, [])] == ["checkov looked at nothing"]


def test_the_contracts_are_those_of_the_code():
    made = json.loads((ROOT / contracts.FILE).read_text())
    assert made["topics"]["ops.lake.backfill"] == {"partitions": 1, "cleanup_policy": "delete", "retention_hours": 168}
    assert made["connect_topics"]["connect-configs"] == {"partitions": 1, "cleanup_policy": "compact"}
    assert made["snowflake"]["users"]["C360_CARE"] == {"role": "C360_CARE", "warehouse": "C360_BI"}
