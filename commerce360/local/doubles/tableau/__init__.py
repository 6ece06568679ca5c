"""A local Tableau Server for the real tableauserverclient 0.42: sign-in, projects, and publishing over the REST API. It shows nothing.

What was published can be read back with its connections. A file must be XML of a workbook or a data source, and not newer than the server.

Where it deviates from the real one:

| Tableau Server | here |
|---|---|
| users, groups, roles, permissions on projects | one user; `readers_only` makes them one who may look and not publish |
| a personal access token is made by a person, ends, and signs in once at a time | one name and secret, for any number of sessions |
| HTTPS | HTTP on loopback; the client does not mind |
| sites | one |
| projects nest, and have an owner | top level only |
| a published file is opened, its connections are tried | parsed as XML; `skipConnectionCheck` changes nothing |
| views, thumbnails, revisions, extracts, schedules, subscriptions | none; a policy of freshness is kept, and does nothing |
| publishing as a job (`asJob`) | not known |
| parts of an upload end after a time; 64 MB at once | kept until they are published; any size |
| `filter`, `sort`, `fields` of a query | a filter by name, `eq` only |
| JSON, GraphQL, webhooks | XML of the REST API alone |
| limits, load, time-outs | answers what it is told to, as often as it is told to (`refuse`) |
| codes of errors | those of its documentation for what is refused here; others are not known |
"""
