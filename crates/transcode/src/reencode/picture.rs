use super::codec::Picture;

/// A picture of half the width and half the height.
#[derive(Debug, Default)]
pub(super) struct Half {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

impl Half {
    /// Shrinks `picture`, each sample the mean of four; odd rests at the right and at the bottom fall away.
    pub(super) fn shrink(&mut self, picture: &Picture<'_>) -> Picture<'_> {
        // Chroma has half the samples, and the encoder wants even sizes.
        self.width = picture.width / 4 * 2;
        self.height = picture.height / 4 * 2;
        for (index, plane) in self.planes.iter_mut().enumerate() {
            let halving = if index == 0 { 1 } else { 2 };
            let stride = picture.strides[usize::from(index != 0)];
            let (width, height) = (self.width / halving, self.height / halving);
            plane.clear();
            for line in picture.planes[index]
                .chunks(stride)
                .collect::<Vec<_>>()
                .chunks(2)
                .take(height)
            {
                let [upper, lower] = line else { break };
                let pairs = upper
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .zip(lower.as_chunks::<2>().0);
                plane.extend(pairs.take(width).map(|(upper, lower)| mean(*upper, *lower)));
            }
        }
        Picture {
            width: self.width,
            height: self.height,
            planes: [&self.planes[0], &self.planes[1], &self.planes[2]],
            strides: [self.width, self.width / 2],
        }
    }
}

fn mean(upper: [u8; 2], lower: [u8; 2]) -> u8 {
    let sum: u16 = upper.into_iter().chain(lower).map(u16::from).sum();
    // At most 255.
    ((sum + 2) / 4).try_into().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_the_mean_of_four() {
        // 9x5 with a stride of 10: one column and one line too many.
        let luma: Vec<u8> = (0..50).collect();
        let chroma = [100; 4 + 5];
        let picture = Picture {
            width: 9,
            height: 5,
            planes: [&luma[..49], &chroma, &chroma],
            strides: [10, 5],
        };
        let mut half = Half::default();
        let small = half.shrink(&picture);
        assert_eq!((small.width, small.height), (4, 2));
        assert_eq!(small.planes[0], [6, 8, 10, 12, 26, 28, 30, 32]);
        assert_eq!(
            (small.planes[1], small.planes[2]),
            (&[100, 100][..], &[100, 100][..])
        );
    }
}
