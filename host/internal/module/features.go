package module

import "strings"

// Features is the set of features beyond the first version of WebAssembly that
// a module uses, as far as the runtime must be told of them.
type Features uint32

const (
	// SignExtension, SatFloat, MultiValue, BulkMemory, ReferenceTypes and SIMD
	// are part of WebAssembly 2.0 (wazero's CoreFeaturesV2).
	SignExtension Features = 1 << iota
	SatFloat
	MultiValue
	BulkMemory
	ReferenceTypes
	SIMD
	// TailCall and ExtendedConst must be switched on in wazero by their own
	// flags (experimental.CoreFeaturesTailCall, CoreFeaturesExtendedConst).
	TailCall
	ExtendedConst
)

var featureNames = []string{
	"sign-extension", "saturating-float-to-int", "multi-value", "bulk-memory",
	"reference-types", "simd", "tail-call", "extended-const",
}

func (f *Features) set(g Features) { *f |= g }

// Has says whether all of g are in f.
func (f Features) Has(g Features) bool { return f&g == g }

// Names lists the features, oldest first.
func (f Features) Names() (names []string) {
	for i, n := range featureNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// String joins the names with commas.
func (f Features) String() string { return strings.Join(f.Names(), ", ") }
