terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.20"
    }
  }

  # As in ../azure, with a key of its own.
  backend "azurerm" {}
}

# Who signs in, and how, comes from SNOWFLAKE_USER, SNOWFLAKE_AUTHENTICATOR and SNOWFLAKE_PRIVATE_KEY.
provider "snowflake" {
  organization_name = var.organization
  account_name      = var.account
  role              = "ACCOUNTADMIN"
}
