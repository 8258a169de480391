// Package server is the HTTP side of `host serve`: the API under /v1, webhooks,
// the event streams, who may do what, and the limits that keep one caller from
// harming the others. It is also the client of all that. What runs, plugins and
// schedules are it does not know: it asks a Service, which package host has. The
// pages are a package of their own below this one and come in as Routes.
package server
