// Package server is the HTTP face of the service: API, event streams and who
// may do what. It knows no plugin, no engine and no database: what it serves is
// a Service, which package host is.
package server
