//! Key pairs as a resource: the component keeps the secret, its users hold handles.

/// Randomness, which the host supplies.
#[wasm::import("wasi:random/random@0.2.0")]
mod random {
    /// Returns `len` random bytes of cryptographic quality.
    pub fn get_random_bytes(len: u64) -> Vec<u8>;
}

/// Signatures and hashes.
#[wasm::export]
pub mod crypto {
    use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
    use sha2::{Digest, Sha256};

    /// Why something was refused.
    #[derive(wasm::Variant, Clone, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A seed, key or signature of this length is none; the lengths are given and wanted.
        WrongLength(u32, u32),
        /// The bytes are no point of the curve.
        InvalidKey,
    }

    /// A secret key with its public one.
    pub struct KeyPair {
        key: SigningKey,
    }

    #[wasm::export]
    impl KeyPair {
        /// Makes a new key pair. The only algorithm is `ed25519`; another one traps.
        pub fn new(algorithm: &str) -> Self {
            assert!(
                algorithm == "ed25519",
                "unknown algorithm `{algorithm}`: the only one is `ed25519`"
            );
            let seed = super::random::get_random_bytes(32);
            Self::from_seed(&seed).expect("the host returns as many bytes as it was asked for")
        }

        /// Makes the key pair that belongs to a seed of 32 bytes.
        pub fn from_seed(seed: &[u8]) -> Result<Self, Error> {
            Ok(Self {
                key: SigningKey::from_bytes(&exactly(seed)?),
            })
        }

        /// The public key: 32 bytes.
        pub fn public_key(&self) -> Vec<u8> {
            self.key.verifying_key().to_bytes().to_vec()
        }

        /// Signs a message: 64 bytes.
        pub fn sign(&self, data: &[u8]) -> Vec<u8> {
            self.key.sign(data).to_bytes().to_vec()
        }
    }

    /// Whether `signature` is that of `data` by the owner of `public_key`.
    pub fn verify(public_key: &[u8], data: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let key = VerifyingKey::from_bytes(&exactly(public_key)?).map_err(|_| Error::InvalidKey)?;
        let signature = Signature::from_bytes(&exactly(signature)?);
        Ok(key.verify(data, &signature).is_ok())
    }

    /// The SHA-256 of `data`: 32 bytes.
    pub fn hash_sha256(data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }

    fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
        bytes
            .try_into()
            .map_err(|_| Error::WrongLength(bytes.len() as u32, N as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::crypto::{Error, KeyPair, hash_sha256, verify};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn abc_hashes_as_the_standard_says() {
        assert_eq!(
            hex(&hash_sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn the_first_test_vector_of_ed25519() {
        let seed: Vec<u8> = (0..64)
            .step_by(2)
            .map(|i| {
                let digits =
                    &"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"[i..i + 2];
                u8::from_str_radix(digits, 16).expect("hexadecimal")
            })
            .collect();
        let pair = KeyPair::from_seed(&seed).expect("32 bytes");
        assert_eq!(
            hex(&pair.public_key()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert!(
            hex(&pair.sign(b""))
                .starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
        );
    }

    #[test]
    fn a_signature_is_verified_and_a_wrong_one_is_not() {
        let pair = KeyPair::from_seed(&[7; 32]).expect("32 bytes");
        let mut signature = pair.sign(b"message");
        assert_eq!(verify(&pair.public_key(), b"message", &signature), Ok(true));
        assert_eq!(verify(&pair.public_key(), b"other", &signature), Ok(false));
        signature[0] ^= 1;
        assert_eq!(
            verify(&pair.public_key(), b"message", &signature),
            Ok(false)
        );
        assert_eq!(
            verify(&[1; 3], b"message", &signature),
            Err(Error::WrongLength(3, 32))
        );
    }
}
