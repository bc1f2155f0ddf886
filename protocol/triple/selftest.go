package triple

func (s *scheme) selfTest() error { return nil }
