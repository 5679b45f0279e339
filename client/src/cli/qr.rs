//! QR codes of small presentations.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Luma};
use qrcode::{EcLevel, QrCode};

use crate::talk::{ExitCode, Failure};

/// Most bytes of one code (version 40, level L).
pub const QR_BYTES_MAX: usize = 2_953;

/// A QR code as PNG.
pub fn png(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let code = QrCode::with_error_correction_level(bytes, EcLevel::L).map_err(|_| {
        Failure::of(ExitCode::Failure, "qr_too_large", &[("len", &bytes.len()), ("max", &QR_BYTES_MAX)])
    })?;
    let picture = code.render::<Luma<u8>>().min_dimensions(400, 400).build();
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(picture)
        .write_to(&mut file, ImageFormat::Png)
        .map_err(|error| Failure::reported(ExitCode::Failure, "qr_not_drawn", error))?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_drawn_up_to_their_capacity() {
        assert!(png(b"eyJ").unwrap().starts_with(b"\x89PNG"));
        assert!(png(&[b'a'; QR_BYTES_MAX]).is_ok());
        assert_eq!(png(&[b'a'; QR_BYTES_MAX + 1]).unwrap_err().code, "qr_too_large");
    }
}
