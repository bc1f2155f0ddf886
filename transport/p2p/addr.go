package p2p

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// resolve returns the TCP addresses that addr stands for: host:port, or a
// multiaddr such as /dns4/party0.example/tcp/4001, whose peer identity, if it
// has one, must be that of p.
func resolve(ctx context.Context, addr string, p PeerID) ([]ma.Multiaddr, error) {
	endpoint := addr
	if strings.HasPrefix(addr, "/") {
		var err error
		if endpoint, err = endpointOf(addr, p); err != nil {
			return nil, fmt.Errorf("address %q: %w", addr, err)
		}
	}
	host, service, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	ips := []netip.Addr{netip.IPv4Unspecified()}
	if host != "" {
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, fmt.Errorf("address %q: %w", addr, err)
		}
	}
	addrs := make([]ma.Multiaddr, len(ips))
	for i, ip := range ips {
		tcp := net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port)))
		if addrs[i], err = manet.FromNetAddr(tcp); err != nil {
			return nil, fmt.Errorf("address %q: %w", addr, err)
		}
	}
	return addrs, nil
}

// endpointOf returns the host:port of a multiaddr.
func endpointOf(addr string, p PeerID) (string, error) {
	m, err := ma.NewMultiaddr(addr)
	if err != nil {
		return "", err
	}
	if id, err := m.ValueForProtocol(ma.P_P2P); err == nil && p != "" && id != string(p) {
		return "", fmt.Errorf("names another peer than %s", p)
	}
	network, endpoint, err := manet.DialArgs(m)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(network, "tcp") {
		return "", fmt.Errorf("want TCP, not %s", network)
	}
	return endpoint, nil
}
