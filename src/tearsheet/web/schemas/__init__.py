"""Response types of the API; the OpenAPI document is generated from them."""
