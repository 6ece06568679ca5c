# `terraform test`: what a plan would hold, with a provider that answers nothing. Needs `terraform init`, and no account.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = {
      tenant_id = "11111111-1111-1111-1111-111111111111"
    }
  }
}

variables {
  subscription_id      = "00000000-0000-0000-0000-000000000000"
  environment          = "test"
  unique               = "acme"
  databricks_object_id = "22222222-2222-2222-2222-222222222222"
  operator_addresses   = ["203.0.113.7"]
  secret_officers      = { ada = "33333333-3333-3333-3333-333333333333" }
}

run "standard" {
  command = plan

  assert {
    condition     = output.c360_settings["C360_KAFKA__BOOTSTRAP"] == "c360testacme-hubs.servicebus.windows.net:9093"
    error_message = "Clients would look for Kafka somewhere else."
  }

  assert {
    condition     = output.c360_settings["C360_LAKE__ROOT"] == "abfss://lake@c360testacmelake.dfs.core.windows.net/c360"
    error_message = "The lake would be somewhere else."
  }

  assert {
    condition     = contains(output.event_hubs_rules, "c360-lake") && !contains(output.event_hubs_rules, "c360-loader")
    error_message = "Each process with topics has a rule, and no other."
  }
}

run "with_connect_on_premium" {
  command = plan

  variables {
    event_hubs            = { sku = "Premium" }
    connect_on_event_hubs = true
    workload_identity     = { issuer = "https://oidc.example/1", namespace = "c360" }
  }

  assert {
    condition     = contains(output.event_hubs_rules, "c360-connect")
    error_message = "Connect has no rule."
  }
}

run "only_entra" {
  command = plan

  variables {
    event_hubs = { local_authentication = false }
  }

  assert {
    condition     = length(output.event_hubs_rules) == 0
    error_message = "Connection strings would be made that nobody may use."
  }
}

run "connect_on_standard_is_refused" {
  command = plan

  variables {
    connect_on_event_hubs = true
  }

  expect_failures = [var.connect_on_event_hubs]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    environment = "Prod"
  }

  expect_failures = [var.environment]
}
