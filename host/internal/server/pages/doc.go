// Package pages is what a person sees of the service in a browser: HTML made on
// the server, forms that work without JavaScript, one style sheet and one small
// script. It is not the API: it asks the Service and shows what it says, and
// what changes something is a POST that ends in a redirect.
//
// Everything that a plugin, a file or a caller wrote is shown as text, with its
// control and direction characters made visible, and shortened where it is long.
// No page holds an inline script or style, or asks anything of another origin.
package pages
