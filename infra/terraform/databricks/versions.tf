terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    databricks = {
      source  = "databricks/databricks"
      version = "~> 1.128"
    }
  }

  # As in ../azure, with a key of its own.
  backend "azurerm" {}
}

# Signs in as whoever `az login` did: a scope backed by Key Vault cannot be made with a personal access token.
provider "databricks" {
  host                        = var.workspace_url
  azure_workspace_resource_id = var.workspace_id
}
