//go:build !linux

package plugin

func pagesAreTold() bool { return false }
