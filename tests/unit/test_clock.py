from gateway.clock import micros, rfc3339


def test_formats_with_microseconds():
    assert rfc3339(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    assert micros(0.1) == 100_000
