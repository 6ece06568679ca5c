# The same objects as infra/snowflake/account.sql, from the same contracts. What is in the database is made by `c360 warehouse apply`.

resource "snowflake_resource_monitor" "this" {
  name            = var.contracts.monitor
  credit_quota    = var.credits
  frequency       = "MONTHLY"
  start_timestamp = "IMMEDIATELY"
  notify_triggers = [80]
  suspend_trigger = 100
}

resource "snowflake_warehouse" "this" {
  for_each = var.contracts.warehouses

  name                         = each.key
  comment                      = each.value.comment
  warehouse_size               = "XSMALL"
  auto_suspend                 = 60
  auto_resume                  = "true"
  initially_suspended          = true
  statement_timeout_in_seconds = each.value.statement_timeout_s
  resource_monitor             = snowflake_resource_monitor.this.fully_qualified_name
}

resource "snowflake_account_role" "this" {
  for_each = var.contracts.roles

  name    = each.key
  comment = each.value
}

resource "snowflake_grant_account_role" "to_sysadmin" {
  for_each = var.contracts.roles

  role_name        = snowflake_account_role.this[each.key].name
  parent_role_name = "SYSADMIN"
}

resource "snowflake_grant_privileges_to_account_role" "warehouse" {
  for_each = var.contracts.warehouse_of

  account_role_name = snowflake_account_role.this[each.key].name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this[each.value].name
  }
}

resource "snowflake_network_policy" "this" {
  name            = var.contracts.network_policy
  allowed_ip_list = var.allowed_addresses
}

resource "snowflake_service_user" "this" {
  for_each = var.contracts.users

  name                           = each.key
  login_name                     = each.key
  rsa_public_key                 = var.public_keys[each.key]
  default_role                   = snowflake_account_role.this[each.value.role].name
  default_secondary_roles_option = "NONE"
  default_warehouse              = snowflake_warehouse.this[each.value.warehouse].name
  network_policy                 = snowflake_network_policy.this.fully_qualified_name
}

resource "snowflake_grant_account_role" "to_user" {
  for_each = var.contracts.users

  role_name = snowflake_account_role.this[each.value.role].name
  user_name = snowflake_service_user.this[each.key].name
}

resource "snowflake_database" "this" {
  name                           = var.database
  drop_public_schema_on_creation = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "snowflake_grant_ownership" "database" {
  account_role_name   = snowflake_account_role.this[var.contracts.owner].name
  outbound_privileges = "COPY"

  on {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }

  depends_on = [snowflake_grant_account_role.to_sysadmin]
}

resource "snowflake_storage_integration_azure" "lake" {
  count = var.lake_integration == null ? 0 : 1

  name                      = "C360_LAKE"
  enabled                   = true
  azure_tenant_id           = var.lake_integration.azure_tenant_id
  storage_allowed_locations = [var.lake_integration.location]
  use_privatelink_endpoint  = "true" # the account has no public endpoint
  comment                   = "Reads the lake of commerce360 as files."
}

resource "snowflake_grant_privileges_to_account_role" "integration" {
  count = var.lake_integration == null ? 0 : 1

  account_role_name = snowflake_account_role.this[var.contracts.owner].name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "INTEGRATION"
    object_name = snowflake_storage_integration_azure.lake[0].name
  }
}
