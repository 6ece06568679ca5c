"""A local Azure AI Language for the real azure-ai-textanalytics 5.4 SDK: sentiment of a batch of documents over HTTP, nothing else.

It keeps the limits, the errors and the bill of the service. What it says of a text comes from the text alone, by a few words.

Where it deviates from the real one:

| Azure AI Language | here |
|---|---|
| a model reads the text, in about a hundred languages | counts a few words, in six; others are `UnsupportedLanguageCode` |
| sentences with a sentiment each, opinions, warnings | no sentence, no opinion, no warning |
| HTTPS | HTTP on loopback; the SDK does not mind |
| keys, and tokens of Entra ID | one key |
| a quota of requests a second and a minute | answers 429 or 503 as often as it was told to |
| 5,120 text elements a document | 5,120 code points, which are never fewer |
| requests of up to 1 MB | of any size |
| versions of the API from v3.0 | 2023-04-01, the SDK's default |
| model versions change by themselves | `latest` is 2022-11-01; that and 2022-06-01 are known |
| a document with an error is not billed | the same |
| bill: text records of 1,000 characters each, rounded up | the same, and it remembers which texts they were for |
"""
