"""Tableau's files, made from the contract: one data source over the star, one workbook of five dashboards. docs/tableau.md has the use.

`build` makes them, `check` looks for what a workbook asks that the warehouse does not have, `publish` puts them on a server.
"""
