package module

// Check decodes a module and checks it against the limits, without changing
// it. The error is an *Error. It reads every byte once and never allocates
// from a declared count that the bytes cannot hold. Operand types are not
// checked: the compiler does that, and must be called with a recover around it.
//
// Check is safe for concurrent use and does not keep b.
func Check(b []byte, l Limits) (*Info, error) {
	d, err := decode(b, l.withDefaults())
	if err != nil {
		return nil, err
	}
	s := d.scanner(true)
	for i := range d.bodies {
		if err := s.scan(i); err != nil {
			return nil, err
		}
	}
	return s.info(), nil
}
