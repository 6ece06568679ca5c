terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # Which account, container and key: `terraform init -backend-config=backend.hcl`, see backend.hcl.example.
  backend "azurerm" {}
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_providers_to_register = [
    "Microsoft.CognitiveServices",
    "Microsoft.Databricks",
    "Microsoft.EventHub",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
  ]

  features {
    # The account's data has no way in from here, and needs none.
    storage {
      data_plane_available = false
    }

    key_vault {
      purge_soft_delete_on_destroy = false
    }
  }
}
