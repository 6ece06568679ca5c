# `terraform test`: what a plan would hold, with a provider that answers nothing. Needs `terraform init`, and no account.

mock_provider "snowflake" {}

variables {
  organization       = "ACME"
  account            = "MY_SHOP"
  platform_addresses = ["203.0.113.7"]
  azure_tenant_id    = "11111111-1111-1111-1111-111111111111"
  lake_location      = "azure://c360testacmelake.blob.core.windows.net/lake/c360/"
  public_keys = {
    C360_LOADER      = "MIIBloader"
    C360_TRANSFORMER = "MIIBtransformer"
    C360_ANALYST     = "MIIBanalyst"
    C360_CARE        = "MIIBcare"
    C360_OPS         = "MIIBops"
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = output.c360_settings["C360_WAREHOUSE__HOST"] == "acme-my-shop.snowflakecomputing.com"
    error_message = "A host has hyphens where an account has underscores: certificates do not match an underscore."
  }

  assert {
    condition     = output.c360_settings["C360_WAREHOUSE__ROLE"] == "C360_LOADER" && output.c360_settings_page["C360_WAREHOUSE__WAREHOUSE"] == "C360_BI"
    error_message = "A process would take another role or warehouse."
  }
}

run "with_the_lake_as_files" {
  command = plan

  variables {
    lake_integration = true
  }
}
