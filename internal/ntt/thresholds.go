package ntt

// thresholds[j] is 2⁶³ times the probability that a rounded Gaussian of standard
// deviation Sigma, given that it is within ±Tail, is within ±j.
var thresholds = [Tail]uint64{
	0xfe49b6827cb0a22,
	0x2e2d1c3d2d673909,
	0x485d35a4168455fb,
	0x5ceb732fcf500f03,
	0x6b909790cec541bc,
	0x750918a85086780a,
	0x7a98381b8b05d44b,
	0x7d8e6d674ccde58a,
	0x7efd1569779956ed,
	0x7f9e04eac7bbada7,
	0x7fde228ae318bb83,
	0x7ff551b87c6c82e1,
	0x7ffcedaa42aca3e8,
	0x7fff31ef2eb41935,
	0x7fffced272bc4241,
	0x7ffff5523bb74b16,
	0x7ffffde5526b5ceb,
	0x7fffffa10a4c8db3,
	0x7ffffff2720cd7c6,
}
