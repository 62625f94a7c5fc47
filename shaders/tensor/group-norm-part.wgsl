// One workgroup has a part of one group of channels of one image: WORKGROUP * VALUES numbers of a row, which is a plane of one channel
// or of the four of a block. All loads of an invocation are under way together; its numbers are of one channel.
let thread = i32(index);
let n = i32(group.z);
let size = p.channels / p.groups;
let first = i32(group.y) * size;
let lanes = select(1, 4, p.packed != 0);
let rows = (p.channels + lanes - 1) / lanes;
let row_size = p.plane_size * lanes;
let row_parts = (row_size + WORKGROUP * VALUES - 1) / (WORKGROUP * VALUES);
let row = first / lanes + i32(group.x) / row_parts;
let channel = row * lanes + thread % lanes;
let in_group = (channel >= first) & (channel < first + size);
let base = (n * rows + row) * row_size;
let start = i32(group.x) % row_parts * (WORKGROUP * VALUES) + thread;
let first_part = (n * p.groups + i32(group.y)) * i32(parts.x);
#for v < VALUES
let i{v} = start + {v*WORKGROUP};
let in{v} = in_group & (i{v} < row_size);
let x{v} = select(0.0, f32(input[base + i{v}]), in{v});
#end
