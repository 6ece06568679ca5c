variable "name" {
  description = "What names of what watches begin with."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of what watches."
  type        = string
}

variable "retention_days" {
  description = "Days for which logs are kept."
  type        = number

  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "30 to 730 days."
  }
}

variable "daily_quota_gb" {
  description = "Gigabytes of logs a day after which no more are taken, against a bill out of control; -1: no end."
  type        = number

  validation {
    condition     = var.daily_quota_gb == -1 || var.daily_quota_gb > 0
    error_message = "-1, or more than 0."
  }
}

variable "logs" {
  description = "By name: a resource, what it logs (categories or category groups), and its metrics."
  type = map(object({
    id         = string
    categories = optional(set(string), [])
    groups     = optional(set(string), [])
    metrics    = optional(set(string), [])
  }))
}

variable "alerts" {
  description = "By name: a metric of a resource that should wake somebody. Severity 0 is critical, 4 a hint."
  type = map(object({
    scope       = string
    namespace   = string
    metric      = string
    aggregation = string
    operator    = string
    threshold   = number
    severity    = number
    about       = string
  }))

  validation {
    condition     = alltrue([for alert in var.alerts : contains(["Average", "Count", "Minimum", "Maximum", "Total"], alert.aggregation) && contains(["Equals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"], alert.operator) && alert.severity >= 0 && alert.severity <= 4])
    error_message = "An alert has an aggregation and an operator of Azure Monitor, and a severity of 0 to 4."
  }
}

variable "alert_addresses" {
  description = "Addresses that get a mail for each alert."
  type        = list(string)

  validation {
    condition     = alltrue([for address in var.alert_addresses : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", address))])
    error_message = "Addresses such as ops@example.com."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
