package onnx

import "google.golang.org/protobuf/proto"

// Encode returns the content of an ONNX file.
func Encode(m *ModelProto) ([]byte, error) { return proto.Marshal(m) }
