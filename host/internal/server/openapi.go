package server

import _ "embed"

// OpenAPI is the description of the API, as GET /openapi.yaml answers it.
//
//go:embed openapi.yaml
var OpenAPI []byte
