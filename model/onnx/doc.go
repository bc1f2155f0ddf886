// Package onnx holds the messages of ONNX files, generated from the ONNX
// project's onnx-ml.proto, version 1.12 (IR version 8; later versions only add
// fields), which Debian ships in python3-onnx:
//
//	protoc --go_out=. --go_opt=paths=source_relative \
//	       --go_opt=Monnx.proto=github.com/tacit-mpc/tacit/model/onnx onnx.proto
//
// with protoc-gen-go of the version of google.golang.org/protobuf in go.mod.
package onnx
