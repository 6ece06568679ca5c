# `terraform test`: what a plan would hold, with a provider that answers nothing. Needs `terraform init`, and no account.

mock_provider "databricks" {
  mock_data "databricks_spark_version" {
    defaults = {
      id = "the-lts-runtime"
    }
  }
}

variables {
  workspace_url       = "https://adb-1.1.azuredatabricks.net"
  workspace_id        = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"
  access_connector_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/accessConnectors/c"
  lake_url            = "abfss://lake@c360testacmelake.dfs.core.windows.net/c360"
  checkpoint_url      = "abfss://lake@c360testacmelake.dfs.core.windows.net/c360-checkpoint"
  job_client_id       = "22222222-2222-2222-2222-222222222222"
  key_vault_id        = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
  key_vault_uri       = "https://v.vault.azure.net/"
}

run "defaults" {
  command = plan

  assert {
    condition     = output.spark_version == "the-lts-runtime" && output.secret_scope == "c360"
    error_message = "A job would run elsewhere."
  }
}

run "readers" {
  command = plan

  variables {
    reader_groups = ["analysts"]
  }
}

