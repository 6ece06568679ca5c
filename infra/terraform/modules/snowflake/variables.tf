variable "contracts" {
  description = "Roles, users, warehouses and names, as `contracts.json` has them under `snowflake`."
  type = object({
    roles          = map(string)
    users          = map(object({ role = string, warehouse = string }))
    warehouses     = map(object({ comment = string, statement_timeout_s = number }))
    warehouse_of   = map(string)
    owner          = string
    monitor        = string
    network_policy = string
  })
}

variable "database" {
  description = "Database of the warehouse, owned by the owner's role."
  type        = string

  validation {
    condition     = can(regex("^[A-Z][A-Z0-9_]*$", var.database))
    error_message = "An identifier in capitals, such as COMMERCE360."
  }
}

variable "credits" {
  description = "Credits a month at which the warehouses are suspended."
  type        = number

  validation {
    condition     = var.credits >= 1
    error_message = "At least one."
  }
}

variable "public_keys" {
  description = "By user: its public key in base64, without the lines that begin and end a PEM file."
  type        = map(string)

  validation {
    condition     = alltrue([for user in keys(var.contracts.users) : can(regex("^MII[A-Za-z0-9+/]+={0,2}$", var.public_keys[user]))])
    error_message = "A key for each user: openssl pkey -in keys/<user>.p8 -pubout, without its first and last line, in one line."
  }
}

variable "allowed_addresses" {
  description = "Addresses and networks that services may come from."
  type        = set(string)

  validation {
    condition     = length(var.allowed_addresses) > 0 && alltrue([for address in var.allowed_addresses : can(cidrnetmask(strcontains(address, "/") ? address : "${address}/32")) && !endswith(address, "/0")])
    error_message = "IPv4 addresses or networks, at least one; not the whole internet."
  }
}

variable "lake_integration" {
  description = "Lets stages and external tables read the lake as files: its address and its tenant. Null: none, the loader needs none."
  type        = object({ location = string, azure_tenant_id = string })
  default     = null

  validation {
    condition     = try(regex("^azure://[a-z0-9]+[.]blob[.]core[.]windows[.]net/.+/$", var.lake_integration.location) != "", var.lake_integration == null)
    error_message = "azure://<account>.blob.core.windows.net/<container>/<folder>/"
  }
}
