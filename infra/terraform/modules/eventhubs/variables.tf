variable "name" {
  description = "Name of the namespace, unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$", var.name))
    error_message = "6 to 50 letters, digits and hyphens; a letter first, no hyphen last."
  }
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the namespace."
  type        = string
}

variable "sku" {
  description = "Standard or Premium; Basic does not speak Kafka."
  type        = string

  validation {
    condition     = contains(["Standard", "Premium"], var.sku)
    error_message = "Standard or Premium."
  }
}

variable "capacity" {
  description = "Throughput units (Standard, 1 to 40) or processing units (Premium: 1, 2, 4, 8, 12, 16)."
  type        = number

  validation {
    condition     = var.sku == "Premium" ? contains([1, 2, 4, 8, 12, 16], var.capacity) : var.capacity >= 1 && var.capacity <= 40
    error_message = "1 to 40 on Standard; 1, 2, 4, 8, 12 or 16 on Premium."
  }
}

variable "maximum_throughput_units" {
  description = "Up to where Standard adds throughput units by itself; 0: never."
  type        = number

  validation {
    condition     = var.maximum_throughput_units == 0 || (var.sku == "Standard" && var.maximum_throughput_units >= var.capacity && var.maximum_throughput_units <= 40)
    error_message = "0, or on Standard a number from the capacity to 40."
  }
}

variable "local_authentication" {
  description = "Whether connection strings are taken beside Entra ID. What signs in with SASL PLAIN needs one."
  type        = bool
}

variable "topics" {
  description = "By name: partitions, retention in hours (delete), cleanup policy, as `contracts.json` has them."
  type = map(object({
    partitions      = number
    cleanup_policy  = string
    retention_hours = optional(number)
  }))

  validation {
    condition     = alltrue([for topic in var.topics : topic.partitions >= 1 && topic.partitions <= (var.sku == "Premium" ? 100 : 32)])
    error_message = "A hub has 1 to 32 partitions on Standard, to 100 on Premium."
  }

  validation {
    condition     = alltrue([for topic in var.topics : coalesce(topic.retention_hours, 1) <= (var.sku == "Premium" ? 2160 : 168)])
    error_message = "Standard keeps events for 168 hours at most, Premium for 2160."
  }

  validation {
    condition     = alltrue([for topic in var.topics : topic.cleanup_policy == "compact" || (topic.cleanup_policy == "delete" && topic.retention_hours != null)])
    error_message = "A cleanup policy is compact, or delete with a retention."
  }

  validation {
    condition     = alltrue([for name in keys(var.topics) : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,254}[A-Za-z0-9])?$", name))])
    error_message = "A hub's name begins and ends with a letter or a digit, with letters, digits, dots, hyphens and underscores between."
  }
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "zone_id" {
  description = "Private DNS zone of Event Hubs."
  type        = string
}

variable "senders" {
  description = "By process: its principal, and the topics that it writes. No topics: all."
  type        = map(object({ principal_id = string, topics = list(string) }))
}

variable "receivers" {
  description = "By process: its principal, and the topics that it reads. No topics: all."
  type        = map(object({ principal_id = string, topics = list(string) }))
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
