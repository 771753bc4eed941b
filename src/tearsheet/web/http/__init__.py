"""HTTP layer of the API and the dashboard: operations, parameters, access, errors, responses."""
