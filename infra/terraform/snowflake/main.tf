locals {
  contracts = jsondecode(file("${path.module}/../contracts.json"))

  host = "${replace(lower("${var.organization}-${var.account}"), "_", "-")}.snowflakecomputing.com"

  # By user: settings of a process that is that user.
  settings = {
    for user, of in module.snowflake.users : user => {
      C360_WAREHOUSE__ACCOUNT          = "${var.organization}-${var.account}"
      C360_WAREHOUSE__HOST             = local.host
      C360_WAREHOUSE__PORT             = "443"
      C360_WAREHOUSE__PROTOCOL         = "https"
      C360_WAREHOUSE__STREAMING_URL    = "https://${local.host}"
      C360_WAREHOUSE__DATABASE         = module.snowflake.database
      C360_WAREHOUSE__USER             = user
      C360_WAREHOUSE__ROLE             = of.role
      C360_WAREHOUSE__WAREHOUSE        = of.warehouse
      C360_WAREHOUSE__PRIVATE_KEY_FILE = "${var.secrets_folder}/${lower(user)}.p8"
    }
  }
}

module "snowflake" {
  source = "../modules/snowflake"

  contracts         = local.contracts.snowflake
  database          = var.database
  credits           = var.credits
  public_keys       = var.public_keys
  allowed_addresses = setunion(var.platform_addresses, var.more_addresses)
  lake_integration  = var.lake_integration ? { location = var.lake_location, azure_tenant_id = var.azure_tenant_id } : null
}
