"""Multipart forms."""


def form(**fields: str | bytes | tuple[str, bytes]) -> tuple[bytes, str]:
    """Body and content type of a form; bytes are a file, which may have a name."""
    parts = []
    for name, value in fields.items():
        file_name, data = value if isinstance(value, tuple) else ("voice.wav", value)
        content = data.encode() if isinstance(data, str) else data
        file = "" if isinstance(data, str) else f'; filename="{file_name}"\r\nContent-Type: audio/wav'
        head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--limit--\r\n", "multipart/form-data; boundary=limit"
